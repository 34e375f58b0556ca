"""The identifiers of an order's invoice, payments and documents, made from the order's."""

from integration.domain.identifiers import CaptureId, DocumentId, InvoiceNumber, OrderNumber, PaymentId, sibling

INVOICES = "SI"
"""The name of the series of invoices. It is stored: another name begins another series at 1."""


def invoice_of(order: OrderNumber) -> InvoiceNumber:
    """The number of an order's one invoice."""
    return InvoiceNumber(sibling("I", order))


def payment_of(order: OrderNumber, attempt: int = 1) -> PaymentId:
    """The identifier of an order's n-th payment, from 1. It has more than one if the buyer tried again."""
    return PaymentId(sibling("P", order, attempt))


def capture_of(order: OrderNumber, ordinal: int) -> CaptureId:
    """The identifier of an order's n-th capture, from 1."""
    return CaptureId(sibling("K", order, ordinal))


def credit_note_of(order: OrderNumber, ordinal: int) -> DocumentId:
    """The identifier of an order's n-th credit note, from 1."""
    return DocumentId(sibling("N", order, ordinal))


def numbered(series: str, position: int) -> str:
    """The printed number of a place in a series, from 1."""
    return f"{series}-{position:06}"
