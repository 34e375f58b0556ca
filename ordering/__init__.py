"""Ordering: products for sale, buyers, and their orders from placing to the end.

Owns: Product, Buyer, Order. It alone decides what an order's status is.
Publishes: ProductListed, OrderPlaced, OrderConfirmed, ShippingRequested, OrderCancellationRequested, OrderCancelled.
Listens to: inventory (reservations and stock levels), billing (payments and refunds), fulfillment (shipments).
"""
