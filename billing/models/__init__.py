"""Billing's aggregates and their rules: no amount is collected twice, and no amount is refunded twice."""

from billing.models.capture import CAPTURE_LIFE, Capture, CaptureStatus
from billing.models.dispute import DISPUTE_LIFE, Dispute, DisputeStatus
from billing.models.document import DOCUMENT_LIFE, SERIES, Document, DocumentKind, DocumentSeries, DocumentStatus
from billing.models.history import History
from billing.models.invoice import (
    INVOICE_LIFE,
    AmountMismatch,
    Invoice,
    InvoiceStatus,
)
from billing.models.invoice_line import InvoiceLine, MoreThanIsLeft, NotInvoiced
from billing.models.numbers import INVOICES, capture_of, credit_note_of, invoice_of, payment_of
from billing.models.payer import Payer
from billing.models.payment import Payment
from billing.models.payment_method import PAYMENT_METHOD_LIFE, PaymentMethod, PaymentMethodStatus, is_own
from billing.models.payment_states import HELD, PAYMENT_LIFE, PAYMENT_NAMES, UNSETTLED, WAITING, PaymentStatus
from billing.models.provider import Discrepancy, ProviderEvent, id_of_key
from billing.models.read_models import InvoiceChange
from billing.models.refund import REFUND_LIFE, Refund, RefundStatus
from billing.models.refund_proposal import REFUND_PROPOSAL_LIFE, RefundProposal, RefundProposalStatus, SamePerson

__all__ = [
    "CAPTURE_LIFE",
    "DISPUTE_LIFE",
    "DOCUMENT_LIFE",
    "HELD",
    "INVOICES",
    "INVOICE_LIFE",
    "PAYMENT_LIFE",
    "PAYMENT_METHOD_LIFE",
    "PAYMENT_NAMES",
    "REFUND_LIFE",
    "REFUND_PROPOSAL_LIFE",
    "SERIES",
    "UNSETTLED",
    "WAITING",
    "AmountMismatch",
    "Capture",
    "CaptureStatus",
    "Discrepancy",
    "Dispute",
    "DisputeStatus",
    "Document",
    "DocumentKind",
    "DocumentSeries",
    "DocumentStatus",
    "History",
    "Invoice",
    "InvoiceChange",
    "InvoiceLine",
    "InvoiceStatus",
    "MoreThanIsLeft",
    "NotInvoiced",
    "Payer",
    "Payment",
    "PaymentMethod",
    "PaymentMethodStatus",
    "PaymentStatus",
    "ProviderEvent",
    "Refund",
    "RefundProposal",
    "RefundProposalStatus",
    "RefundStatus",
    "SamePerson",
    "capture_of",
    "credit_note_of",
    "id_of_key",
    "invoice_of",
    "is_own",
    "payment_of",
]
