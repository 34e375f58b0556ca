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


@domain_event("billing.refund_pended", says="the provider accepted the refund of {amount} for order {order}")
class RefundPended(DomainEvent, kw_only=True):
    """The provider accepted the refund, and has not sent the money yet."""

    refund: RefundId
    order: OrderNumber
    amount: Money
    reference: str


@domain_event("billing.refund_failed", says="the refund of {amount} for order {order} failed ({reason})")
class RefundFailed(DomainEvent, kw_only=True):
    """The provider could not refund, or the buyer's bank sent the money back; it is still owed.

    `was_issued` says whether the refund counted as issued before.
    """

    refund: RefundId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reference: str
    reason: str
    was_issued: bool


@domain_event("billing.refund_retried", says="the refund of {amount} for order {order} was requested again")
class RefundRetried(DomainEvent, kw_only=True):
    """A failed refund is requested again, under a key of its own: to the provider it is another refund."""

    refund: RefundId
    order: OrderNumber
    amount: Money
    key: str


@domain_event("billing.refund_blocked", says="the refund of {amount} for order {order} waits for a dispute")
class RefundBlocked(DomainEvent, kw_only=True):
    """The buyer disputes the payment: who refunds it now might pay twice."""

    refund: RefundId
    order: OrderNumber
    amount: Money


@domain_event("billing.refund_released", says="the refund of {amount} for order {order} waits for no dispute anymore")
class RefundReleased(DomainEvent, kw_only=True):
    refund: RefundId
    order: OrderNumber
    amount: Money


@domain_event(
    "billing.refund_settled_by_dispute", says="a lost dispute settled the refund of {amount} for order {order}"
)
class RefundSettledByDispute(DomainEvent, kw_only=True):
    """The buyer has the money of this refund by a dispute that we lost."""

    refund: RefundId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
