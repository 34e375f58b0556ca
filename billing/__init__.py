"""Billing: invoices with their credit notes, payments and refunds.

Owns: Invoice, Document, Payment, Refund, Dispute, Payer. Only billing talks to the payment provider.
Publishes: PaymentRequested, PaymentSucceeded, PaymentFailed, RefundRequested, RefundIssued, RefundFailed,
DisputeOpened, DisputeClosed.
Consumes: OrderPlaced, OrderCancelled, PayerNamed and BuyerErased (ordering), StockReserved (inventory), and its own
PaymentRequested and RefundRequested.
"""
