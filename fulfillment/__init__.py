"""Fulfillment: shipments, from packing to delivery.

Owns: Shipment. Only fulfillment decides whether a confirmed order can still be cancelled.
Publishes: ShipmentArranged, ShipmentDispatched, ShipmentDelivered, ShipmentCancelled, CancellationRefused.
Consumes: ShippingRequested, OrderCancellationRequested and BuyerErased (ordering).
"""
