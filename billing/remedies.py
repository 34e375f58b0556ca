"""What can be done about a discrepancy: one proposal for each kind, which an operator carries out with a reason.

A remedy does only what is safe to repeat: it asks the provider what became of a key, or requests a failed refund again,
under a new key. Whose money it is that nobody here requested, only a person can find out.
"""

from collections.abc import Callable
from functools import partial

from msgspec import Struct

from billing import commands
from billing.commands.differences import Row
from billing.gateways import OutcomeUnknown
from billing.models import Capture, Discrepancy, Payment, Refund, RefundStatus
from billing.reconciliation import difference_of
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import NotFound, Refused
from integration.domain.identifiers import RefundId


class StillDiffers(Refused):
    """The provider was asked again, and its books still differ from ours."""


class NoRemedy(Refused):
    """Nothing can be proposed: find out what happened at the provider, and settle the discrepancy."""


class Remedy(Struct, frozen=True):
    """A proposal.

    Args:
        says: what is proposed, as a sentence for operators.
        act: does it with the operator's reason, and settles the discrepancy; returns what happened.
    """

    says: str
    act: Callable[[str], str]


def remedy_of(discrepancy: Discrepancy) -> Remedy | None:
    """What can be done about an open discrepancy; None if only a person can find out."""
    subject = discrepancy.subject
    kinds: tuple[type[Row], ...] = (Payment, Refund, Capture)
    row = next((found for kind in kinds if (found := kind.objects.filter(pk=subject).first())), None)
    if discrepancy.settled_at or row is None:
        return None
    if isinstance(row, Refund) and row.status == RefundStatus.FAILED:
        return Remedy(f"Request the refund of {row.amount} again, under a new key.", partial(_request_again, row))
    return Remedy(f"Ask the provider for {row} of {row.amount} again, and record what it has.", partial(_ask, row))


def carry_out(subject: str, reason: str) -> str:
    """Do what is proposed about a discrepancy.

    Args:
        subject: the payment or refund that it is about.
        reason: why, in the operator's words; it is stored with the discrepancy.

    Returns:
        What happened.

    Raises:
        NotFound: there is no such discrepancy.
        NoRemedy: nothing is proposed, because it is settled, or because only a person can find out.
        StillDiffers: the provider's books still differ, or it did not respond.
    """
    discrepancy = Discrepancy.objects.filter(pk=subject).first()
    if discrepancy is None:
        raise NotFound(f"there is no discrepancy about {subject}")
    remedy = remedy_of(discrepancy)
    if remedy is None:
        raise NoRemedy
    return remedy.act(reason)


def _request_again(refund: Refund, reason: str) -> str:
    with unit_of_work():
        commands.settle_discrepancy(refund.id, f"It was requested again: {reason}"[:300])
        commands.retry_refund(RefundId(refund.id))
    return f"the refund of {refund.amount} is requested again"


def _ask(row: Row, reason: str) -> str:
    try:
        found = difference_of(row)
    except OutcomeUnknown as error:
        raise StillDiffers(f"the provider did not respond: {error}") from error
    if found and not found.repair:
        raise StillDiffers(f"the provider was asked again: {found.finding}")
    with unit_of_work():
        if found and found.repair:
            found.repair()
        what = found.finding if found else "both books agree"
        commands.settle_discrepancy(row.pk, f"The provider was asked again, {what}: {reason}"[:300])
    return f"{what}; it is recorded" if found else what
