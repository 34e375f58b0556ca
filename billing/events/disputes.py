"""What happened to disputes: a buyer asks their bank for the money of a charge."""

from datetime import datetime
from typing import Literal

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import InvoiceNumber, OrderNumber, PaymentId
from integration.domain.money import Money


@domain_event("billing.dispute_opened", says="the buyer disputes {amount} of payment {payment} ({kind} {dispute})")
class DisputeOpened(DomainEvent, kw_only=True):
    """The buyer's bank asks about a charge, or takes its money back.

    Args:
        dispute: the provider's reference.
        kind: an `inquiry` withdraws nothing, a `chargeback` withdraws the amount.
        evidence_due: until when evidence counts; None if none is accepted.
    """

    dispute: str
    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    kind: Literal["chargeback", "inquiry"]
    evidence_due: datetime | None


@domain_event("billing.dispute_funds_withdrawn", says="{amount} of order {order} were withdrawn by dispute {dispute}")
class DisputeFundsWithdrawn(DomainEvent, kw_only=True):
    dispute: str
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money


@domain_event("billing.dispute_won", says="dispute {dispute} about {amount} of order {order} was won")
class DisputeWon(DomainEvent, kw_only=True):
    """The dispute ended for us; `returned` is what it had withdrawn and returns."""

    dispute: str
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    returned: Money


@domain_event("billing.dispute_lost", says="dispute {dispute} about {amount} of order {order} was lost")
class DisputeLost(DomainEvent, kw_only=True):
    """The dispute ended for the buyer, who keeps the money."""

    dispute: str
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
