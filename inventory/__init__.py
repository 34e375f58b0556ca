"""Inventory: what lies on the shelves, and for whom it is set aside.

Owns: StockItem, Reservation. It alone decides what is available.
Publishes: StockReserved, StockReservationFailed, StockRanLow, StockRanOut, StockReplenished.
Listens to: ordering (products listed; orders placed, confirmed, cancelled), fulfillment (shipments dispatched).
"""
