"""What happened to proposed refunds, which need a second person."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import InvoiceNumber, OrderNumber, RefundId, Sku
from integration.domain.money import Money


@domain_event(
    "billing.refund_proposed", says="a refund of {amount} for order {order} was proposed to a second person ({reason})"
)
class RefundProposed(DomainEvent, kw_only=True):
    """A refund above the limit was asked for.

    `units` are the units of lines to refund; None if the amount is shared out over all lines. `by` asked for it.
    """

    proposal: str
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    units: dict[Sku, int] | None
    reason: str
    by: str


@domain_event(
    "billing.refund_proposal_approved", says="a second person approved the refund of {amount} for order {order}"
)
class RefundProposalApproved(DomainEvent, kw_only=True):
    """A second person approved it, and `refund` is owed since."""

    proposal: str
    order: OrderNumber
    amount: Money
    refund: RefundId
    note: str
    by: str


@domain_event(
    "billing.refund_proposal_refused",
    says="a second person refused the refund of {amount} for order {order} ({reason})",
)
class RefundProposalRefused(DomainEvent, kw_only=True):
    proposal: str
    order: OrderNumber
    amount: Money
    reason: str
    by: str
