"""Fulfillment: what is sent to whom, from the packing table to the doorstep.

Owns: Shipment. It alone decides whether a confirmed order can still be stopped.
Publishes: ShipmentArranged, ShipmentDispatched, ShipmentDelivered, ShipmentCancelled, CancellationRefused.
Listens to: ordering (shipping requested, cancellation requested).
"""
