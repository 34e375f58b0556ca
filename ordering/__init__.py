"""Ordering: products for sale, buyers, and orders from placing to delivery or cancellation.

Owns: Product, Buyer, Order. Only ordering decides the status of an order.
Publishes: ProductListed, OrderPlaced, OrderConfirmed, ShippingRequested, OrderCancellationRequested, OrderCancelled,
BuyerErased.
Consumes: StockReserved, StockReservationFailed, StockRanLow, StockRanOut and StockReplenished (inventory),
PaymentSucceeded, PaymentFailed and RefundIssued (billing), ShipmentDispatched, ShipmentDelivered, ShipmentCancelled and
CancellationRefused (fulfillment), and its own OrderConfirmed and OrderCancelled.
"""
