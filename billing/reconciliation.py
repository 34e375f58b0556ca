"""Reconciliation compares our payments and refunds with the payment provider's books, row by row.

A difference is repaired if that is safe: an outcome that never reached us is recorded from the provider's books. Any
other difference becomes a discrepancy for an operator, such as a charge that nobody here requested.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from django.db import InterfaceError, OperationalError
from django.db.models import Q
from msgspec import Struct

from billing import commands
from billing.commands.differences import NOT_REQUESTED, NOT_THERE, UNSETTLED_REFUNDS, Difference, Row, compare_row
from billing.commands.discrepancies import (
    note_discrepancy,
    open_discrepancies,
    settle_discrepancy,
)
from billing.gateways import (
    Booked,
    Disputed,
    provider,
)
from billing.models import (
    HELD,
    UNSETTLED,
    Capture,
    CaptureStatus,
    Discrepancy,
    Dispute,
    DisputeStatus,
    Payment,
    Refund,
    id_of_key,
)
from integration.domain import clock

log = logging.getLogger(__name__)

SETTLING = timedelta(minutes=2)
"""Rows younger than this are not compared: the outcome may still be in flight."""

CLOCKS_DIFFER = timedelta(hours=1)
"""The provider's books are read from so much earlier on, because its clock may be behind ours."""


class Report(Struct):
    """The result of a reconciliation.

    Args:
        looked_at: how many keys were compared.
        repaired: the payments and refunds that were repaired.
        discrepancies: what is wrong, by payment, refund, or key of the provider.
    """

    looked_at: int
    repaired: list[str]
    discrepancies: dict[str, str]


class Comparison(Struct, frozen=True):
    """What a comparison found.

    Args:
        subjects: the payments and refunds that were compared, and the provider's keys.
        looked_at: how many keys were compared.
        differences: the differences by payment, refund, or key of the provider. Those that an operator settled are left
            out.
    """

    subjects: set[str]
    looked_at: int
    differences: dict[str, Difference]


def reconcile(since: datetime) -> Report:
    """Compare both books from `since` on, repair what is safe, and store the other differences as discrepancies.

    A repair that fails becomes a discrepancy, and the others go on.

    Raises:
        OutcomeUnknown: the provider did not respond.
    """
    found = _compare_books(since)
    report = Report(found.looked_at, [], {})
    for subject, difference in found.differences.items():
        if not difference.repair:
            report.discrepancies[subject] = difference.finding
            continue
        try:
            difference.repair()
            report.repaired.append(subject)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # whatever is wrong with one row, the others are repaired
            log.exception("%s cannot be repaired", subject)
            report.discrepancies[subject] = f"{difference.finding}, which cannot be recorded: {error}"
    for subject, finding in report.discrepancies.items():
        note_discrepancy(subject, finding)
    _close_agreed(found.subjects - found.differences.keys())
    return report


def compare(since: datetime) -> tuple[int, dict[str, Difference]]:
    """Compare both books from `since` on, without changing anything.

    Returns:
        How many keys were compared, and the differences by payment, refund, or key of the provider. Those that an
        operator settled are left out.

    Raises:
        OutcomeUnknown: the provider did not respond.
    """
    found = _compare_books(since)
    return found.looked_at, found.differences


def difference_of(row: Row) -> Difference | None:
    """Ask the provider for a payment or refund, and compare; None if both books agree.

    Raises:
        OutcomeUnknown: the provider did not respond.
    """
    return compare_row(row, _find(row))


def _compare_books(since: datetime) -> Comparison:
    # Read our books first. What happens between the two reads is then at least in the provider's books.
    ours = {row.idempotency_key: row for row in _our_books(since, clock.now() - SETTLING)}
    books = {booked.key: booked for booked in provider().books(since - CLOCKS_DIFFER)}
    theirs = {key: booked for key, booked in books.items() if not isinstance(booked.outcome, Disputed)}
    differences = _compare_disputes([it.outcome for it in books.values() if isinstance(it.outcome, Disputed)])
    for key, row in ours.items():
        # A provider may list a capture with its charge, which is older.
        is_older = row.created_at < since or isinstance(row, Capture)
        if is_older and key not in theirs and (booked := _find(row)):
            theirs[key] = booked
        if found := compare_row(row, theirs.get(key)):
            differences[row.pk] = found
    unknown = theirs.keys() - ours.keys()
    for key in unknown - _known_elsewhere(unknown):
        differences[key] = Difference(f"{NOT_REQUESTED} {theirs[key].amount} that we did not request")
    subjects = {*(row.pk for row in ours.values()), *theirs}
    return Comparison(subjects, len(theirs.keys() | ours.keys()), _without_settled(differences))


def _our_books(since: datetime, until: datetime) -> Iterable[Row]:
    """Payments, refunds and captures that were requested in this time, or earlier and are not settled yet."""
    recent = Q(created_at__gte=since)
    payments = Payment.objects.filter(recent | Q(status__in=(*UNSETTLED, *HELD)), created_at__lt=until)
    refunds = Refund.objects.filter(recent | Q(status__in=UNSETTLED_REFUNDS), created_at__lt=until)
    captures = Capture.objects.filter(recent | Q(status=CaptureStatus.REQUESTED), created_at__lt=until)
    return chain(
        payments.exclude(amount_minor=0).select_related("invoice"), refunds, captures.select_related("payment")
    )


def _find(row: Row) -> Booked | None:
    """Ask for a row that is older than the books that were read."""
    if isinstance(row, Capture):
        return provider().find_capture(row.idempotency_key, row.payment.reference)
    find = provider().find_charge if isinstance(row, Payment) else provider().find_refund
    return find(row.idempotency_key)


def _known_elsewhere(keys: set[str]) -> set[str]:
    """The keys that we know, but whose rows are too young or too old to be compared now."""
    rows = list(_rows_of(keys))
    return {row.idempotency_key for row in rows} | {
        key for row in rows if isinstance(row, Refund) for key in row.earlier_keys or ()
    }


def _rows_of(keys: set[str]) -> Iterator[Row]:
    ids = keys | {id_of_key(key) for key in keys}
    for model in (Payment, Refund, Capture):
        yield from model.objects.filter(pk__in=ids).all()


def _without_settled(differences: dict[str, Difference]) -> dict[str, Difference]:
    """The differences without those that an operator has settled, unless they look different now."""
    settled = Discrepancy.objects.filter(pk__in=differences, settled_at__isnull=False)
    known = set(settled.values_list("subject", "finding"))
    return {subject: found for subject, found in differences.items() if (subject, found.finding) not in known}


def _close_agreed(subjects: set[str]) -> None:
    """Settle the open discrepancies that only said that an entry was missing in one of the books."""
    missing = Q(finding__contains=NOT_REQUESTED) | Q(finding__contains=NOT_THERE)
    for discrepancy in open_discrepancies().filter(missing):
        if discrepancy.pk in subjects:
            settle_discrepancy(discrepancy.pk, "Both books agree by now.")


_DISPUTES = {
    "warning": DisputeStatus.OPENED,
    "needs_response": DisputeStatus.FUNDS_WITHDRAWN,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}


def _compare_disputes(theirs: Sequence[Disputed]) -> dict[str, Difference]:
    """The differences about disputes by reference. What the provider says of a dispute is always safe to record."""
    ours = Dispute.objects.in_bulk([disputed.reference for disputed in theirs])
    differences = {}
    for disputed in theirs:
        dispute, status = ours.get(disputed.reference), _DISPUTES[disputed.status]
        if dispute is None or dispute.status != status:
            finding = f"we have it as {dispute.status if dispute else 'unknown'}, the provider as {disputed.status}"
            differences[disputed.reference] = Difference(finding, partial(commands.note_dispute, disputed))
    return differences
