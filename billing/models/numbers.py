"""The numbers of an order's invoice and payment, made from the order's."""

from integration.domain.identifiers import InvoiceNumber, OrderNumber, PaymentId, sibling


def invoice_of(order: OrderNumber) -> InvoiceNumber:
    """The number of an order's one invoice."""
    return InvoiceNumber(sibling("I", order))


def payment_of(order: OrderNumber) -> PaymentId:
    """The identifier of an order's one payment."""
    return PaymentId(sibling("P", order, 1))
