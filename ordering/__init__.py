"""Ordering: products for sale, buyers, and orders from placing to delivery or cancellation.

Owns: Product, Buyer, Order. Only ordering decides the status of an order.
Publishes: ProductListed, OrderPlaced, OrderConfirmed, ShippingRequested, OrderCancellationRequested, OrderCancelled.
Consumes: inventory (reservations and stock levels), billing (payments and refunds), fulfillment (shipments).
"""
