"""Billing: what is owed, what was paid, and what was given back.

Owns: Invoice, Payment, Refund. It alone talks to the payment provider.
Publishes: PaymentRequested, PaymentSucceeded, PaymentFailed, RefundRequested, RefundIssued.
Listens to: ordering (orders placed and cancelled), inventory (stock reserved), and its own requests.
"""
