"""Billing: invoices with their credit notes, payments and refunds.

Owns: Invoice, Document, Payment, PaymentMethod, Refund, Dispute, Payer. Only billing talks to the payment provider.
Publishes: PaymentRequested, PaymentActionRequired, PaymentPending, PaymentSucceeded, PaymentFailed, PaymentExpired,
PaymentCancellationRequested, RefundRequested, RefundIssued, RefundFailed, DisputeOpened, DisputeClosed.
Consumes: OrderPlaced, OrderCancelled, PaymentOverdue, PayerNamed and BuyerErased (ordering), StockReserved (inventory),
and its own PaymentRequested, PaymentCancellationRequested and RefundRequested.
"""
