"""Fulfillment: shipments, from packing to delivery.

Owns: Shipment and FulfillmentOrder. Only fulfillment decides what of a confirmed order can still be cancelled.
Publishes: ShipmentArranged, ShipmentDispatched, ShipmentDelivered, ShipmentCancelled, CancellationRefused.
Consumes: ShippingRequested, OrderCancellationRequested and BuyerErased (ordering).
"""
