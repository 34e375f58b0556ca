"""Billing: invoices, payments and refunds.

Owns: Invoice, Payment, Refund. Only billing talks to the payment provider.
Publishes: PaymentRequested, PaymentSucceeded, PaymentFailed, RefundRequested, RefundIssued.
Consumes: OrderPlaced, OrderCancelled and BuyerErased (ordering), StockReserved (inventory), and its own
PaymentRequested and RefundRequested.
"""
