"""Differences between our books and the payment provider's: how they are found, stored and settled.

An outcome is recorded only if the provider's entry has the kind, the amount, the currency and the reference of what we
asked for. This holds for a response, a look-up, a callback and a reconciliation alike. Any other entry becomes a
discrepancy, which an operator settles.
"""

from django.db import transaction
from django.db.models import QuerySet

from billing.gateways import Booked, Captured, Charged, Declined, RefundFailed, RefundOutcome
from billing.models import Capture, Discrepancy, Payment, Refund
from integration.domain import clock
from integration.domain.errors import NotFound, Refused
from integration.domain.metadata import current_cause


class BooksDiffer(Refused):
    """The provider's entry is not what was requested under its key."""


def contradiction(row: Payment | Refund | Capture, booked: Booked) -> str:
    """Why the provider's entry is not the outcome of a payment, refund or capture; empty if it may be."""
    is_declined_capture = isinstance(row, Capture) and isinstance(booked.outcome, Declined)
    is_other = isinstance(row, Refund) != isinstance(booked.outcome, RefundOutcome)
    is_other |= isinstance(row, Capture) != (isinstance(booked.outcome, Captured) or is_declined_capture)
    if is_other or (isinstance(row, Payment) and row.is_authorization and isinstance(booked.outcome, Charged)):
        return f"the provider has it as {type(booked.outcome).__name__.lower()}"
    if isinstance(row, Refund) and booked.key in (row.earlier_keys or ()):
        return ""  # an attempt that failed, with a reference of its own
    if booked.amount != row.amount:
        return f"we have {row.amount}, the provider {booked.amount}"
    if isinstance(booked.outcome, Declined):
        return ""
    if not booked.outcome.reference:
        return "the provider gave no reference"
    if row.reference and row.reference != booked.outcome.reference:
        return f"our reference is {row.reference}, the provider's is {booked.outcome.reference}"
    return ""


def already_used(row: Payment | Refund | Capture, booked: Booked) -> str:
    """Which other row the reference of the provider's entry settled, for operators; empty if none.

    The database refuses a second one, too. Call this where a query more does no harm.
    """
    if row.reference or isinstance(booked.outcome, Declined | RefundFailed):
        return ""
    same: QuerySet[Payment | Refund | Capture] = type(row)._default_manager.filter(reference=booked.outcome.reference)
    other = same.exclude(reference="").exclude(pk=row.pk).values_list("pk", flat=True).first()
    return f"the provider's reference {booked.outcome.reference} is that of {other}" if other else ""


def note_discrepancy(subject: str, finding: str) -> None:
    """Store what is wrong about a payment, a refund or a key of the provider, for an operator.

    An open discrepancy shows the last finding. A settled one is opened again by another finding, and keeps how it was
    settled before.
    """
    now, finding = clock.now(), finding[: Discrepancy._meta.get_field("finding").max_length]
    with transaction.atomic():
        rows = Discrepancy.objects.select_for_update()
        stored, is_new = rows.get_or_create(pk=subject, defaults={"finding": finding, "found_at": now})
        if is_new or stored.finding == finding:
            return
        if stored.settled_at:
            how = f"{stored.settlement} ({stored.settled_by}, {stored.settled_at:%F %T})"
            stored.earlier += f"{stored.finding}: {how}\n"
            stored.settled_at, stored.settlement, stored.settled_by, stored.found_at = None, "", "", now
        stored.finding = finding
        stored.save()


def settle_discrepancy(subject: str, settlement: str) -> None:
    """Close a discrepancy, and store how it was settled and by whom.

    Raises:
        NotFound: there is no open discrepancy about `subject`.
    """
    settled = {"settled_at": clock.now(), "settlement": settlement, "settled_by": current_cause().actor}
    if not open_discrepancies().filter(pk=subject).update(**settled):
        raise NotFound(f"there is no open discrepancy about {subject}")


def open_discrepancies() -> QuerySet[Discrepancy]:
    """The discrepancies that no operator has settled yet."""
    return Discrepancy.objects.filter(settled_at=None)
