"""Inventory: the stock of every SKU, and the reservations of stock for orders.

Owns: StockItem, Reservation. Only inventory decides what is available.
Publishes: StockReserved, StockReservationFailed, StockRanLow, StockRanOut, StockReplenished.
Consumes: ProductListed, OrderPlaced, OrderConfirmed and OrderCancelled (ordering), ShipmentDispatched (fulfillment).
"""
