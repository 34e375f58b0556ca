"""Billing's domain events. They stay inside billing; `policies/saga.py` publishes contracts for other contexts."""

from billing.events.invoices import (
    CreditedLine,
    InvoiceAnonymized,
    InvoicedLine,
    InvoiceIssued,
    InvoiceLinesCredited,
    InvoicePaid,
    InvoicePayerChanged,
    InvoiceReduced,
    InvoiceRefunded,
    InvoiceRefundGranted,
    InvoiceRefundOwed,
    InvoiceSettledWithoutPayment,
    InvoiceVoided,
    VoidInvoicePaid,
)
from billing.events.payments import (
    PaymentAbandoned,
    PaymentAnonymized,
    PaymentFailed,
    PaymentOutcomeLost,
    PaymentRequested,
    PaymentSucceeded,
)
from billing.events.refunds import (
    RefundIssued,
    RefundRequested,
)

__all__ = [
    "CreditedLine",
    "InvoiceAnonymized",
    "InvoiceIssued",
    "InvoiceLinesCredited",
    "InvoicePaid",
    "InvoicePayerChanged",
    "InvoiceReduced",
    "InvoiceRefundGranted",
    "InvoiceRefundOwed",
    "InvoiceRefunded",
    "InvoiceSettledWithoutPayment",
    "InvoiceVoided",
    "InvoicedLine",
    "PaymentAbandoned",
    "PaymentAnonymized",
    "PaymentFailed",
    "PaymentOutcomeLost",
    "PaymentRequested",
    "PaymentSucceeded",
    "RefundIssued",
    "RefundRequested",
    "VoidInvoicePaid",
]
