"""What happened to refunds."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import (
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    RefundId,
)
from integration.domain.money import Money


@domain_event("billing.refund_requested", says="a refund of {amount} was requested for order {order} ({reason})")
class RefundRequested(DomainEvent, kw_only=True):
    refund: RefundId
    invoice: InvoiceNumber
    payment: PaymentId
    order: OrderNumber
    amount: Money
    reason: str
    key: str = ""


@domain_event("billing.refund_issued", says="the refund of {amount} for order {order} was issued")
class RefundIssued(DomainEvent, kw_only=True):
    refund: RefundId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reference: str
