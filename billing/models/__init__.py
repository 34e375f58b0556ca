"""Billing's aggregates and their rules: no amount is collected twice, and no amount is refunded twice."""

from billing.models.history import History
from billing.models.invoice import (
    INVOICE_LIFE,
    AmountMismatch,
    Invoice,
    InvoiceStatus,
)
from billing.models.invoice_line import InvoiceLine, MoreThanIsLeft, NotInvoiced
from billing.models.numbers import invoice_of, payment_of
from billing.models.payment import PAYMENT_LIFE, Payment, PaymentStatus
from billing.models.provider import Discrepancy, ProviderEvent, id_of_key
from billing.models.read_models import InvoiceChange
from billing.models.refund import REFUND_LIFE, Refund, RefundStatus

__all__ = [
    "INVOICE_LIFE",
    "PAYMENT_LIFE",
    "REFUND_LIFE",
    "AmountMismatch",
    "Discrepancy",
    "History",
    "Invoice",
    "InvoiceChange",
    "InvoiceLine",
    "InvoiceStatus",
    "MoreThanIsLeft",
    "NotInvoiced",
    "Payment",
    "PaymentStatus",
    "ProviderEvent",
    "Refund",
    "RefundStatus",
    "id_of_key",
    "invoice_of",
    "payment_of",
]
