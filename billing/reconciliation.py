"""Reconciliation compares our payments and refunds with the payment provider's books, row by row.

A difference is repaired if that is safe: an outcome that never reached us is recorded from the provider's books. Any
other difference becomes a discrepancy for an operator, such as a charge that nobody here requested.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.db.models import QuerySet
from msgspec import Struct

from billing import commands
from billing.gateways import Booked, Charged, Declined, Refunded, provider
from billing.models import Discrepancy, InvoiceStatus, Payment, PaymentStatus, Refund, RefundStatus
from integration.domain import clock
from integration.domain.identifiers import PaymentId, RefundId

SETTLING = timedelta(minutes=2)
"""Rows younger than this are not compared: the outcome may still be in flight."""


class Report(Struct):
    """The result of a reconciliation.

    Args:
        looked_at: how many keys were compared.
        repaired: the keys that were repaired.
        discrepancies: what is wrong, by the keys that cannot be repaired.
    """

    looked_at: int
    repaired: list[str]
    discrepancies: dict[str, str]


class Difference(Struct):
    """A difference between the two books: a sentence for operators, and the repair if it is safe."""

    finding: str
    repair: Callable[[], None] | None = None


def reconcile(since: datetime) -> Report:
    """Compare both books from `since` on, repair what is safe, and store the other differences as discrepancies.

    Raises:
        OutcomeUnknown: the provider did not respond.
    """
    looked_at, differences = compare(since)
    report = Report(looked_at, [], {})
    for key, difference in differences.items():
        if difference.repair:
            difference.repair()
            report.repaired.append(key)
        else:
            report.discrepancies[key] = difference.finding
    _store_discrepancies(report)
    return report


def compare(since: datetime) -> tuple[int, dict[str, Difference]]:
    """Compare both books from `since` on, without changing anything.

    Returns:
        How many keys were compared, and the differences by key.

    Raises:
        OutcomeUnknown: the provider did not respond.
    """
    until = clock.now() - SETTLING
    # Read our books first. What happens between the two reads is then at least in the provider's books.
    ours = {**_payments(since, until), **_refunds(since, until)}
    theirs = {booked.key: booked for booked in provider().books(since)}
    differences = {key: found for key, row in ours.items() if (found := _compare(row, theirs.get(key)))}
    for key in theirs.keys() - ours.keys() - _known_elsewhere(theirs.keys() - ours.keys()):
        differences[key] = Difference(f"the provider moved {theirs[key].amount} that we did not request")
    return len(theirs.keys() | ours.keys()), differences


def _payments(since: datetime, until: datetime) -> dict[str, Payment | Refund]:
    rows = Payment.objects.filter(created_at__gte=since, created_at__lt=until).select_related("invoice")
    return {payment.id: payment for payment in rows}


def _refunds(since: datetime, until: datetime) -> dict[str, Payment | Refund]:
    return {refund.id: refund for refund in Refund.objects.filter(created_at__gte=since, created_at__lt=until)}


def _known_elsewhere(keys: set[str]) -> set[str]:
    """The keys that we know, but whose rows are too young or too old to be compared now."""
    payments = Payment.objects.filter(pk__in=keys).values_list("pk", flat=True)
    return {*payments, *Refund.objects.filter(pk__in=keys).values_list("pk", flat=True)}


def _compare(row: Payment | Refund, booked: Booked | None) -> Difference | None:
    if booked and booked.amount != row.amount:
        return Difference(f"we have {row.amount}, the provider {booked.amount}")
    return _compare_payment(row, booked) if isinstance(row, Payment) else _compare_refund(row, booked)


def _compare_payment(payment: Payment, booked: Booked | None) -> Difference | None:
    settle = partial(commands.settle_payment, PaymentId(payment.id))
    match booked:
        case None if payment.status == PaymentStatus.SUCCEEDED:
            return Difference("we have it as paid, the provider has no charge under this key")
        case None if payment.status in _UNSETTLED and payment.invoice.status == InvoiceStatus.VOID:
            return Difference(
                "its invoice is void, and the provider has no charge under this key", partial(settle, None)
            )
        case Booked(outcome=Charged() as charged) if payment.status != PaymentStatus.SUCCEEDED:
            return Difference(f"we have it as {payment.status}, the provider charged", partial(settle, charged))
        case Booked(outcome=Charged(reference)) if payment.reference != reference:
            return Difference(f"our reference is {payment.reference}, the provider's is {reference}")
        case Booked(outcome=Declined() as declined) if payment.status in _UNSETTLED:
            return Difference(f"we have it as {payment.status}, the provider declined", partial(settle, declined))
        case Booked(outcome=Declined()) if payment.status == PaymentStatus.SUCCEEDED:
            return Difference("we have it as paid, the provider declined it")
    return None


_UNSETTLED = (PaymentStatus.REQUESTED, PaymentStatus.UNKNOWN)


def _compare_refund(refund: Refund, booked: Booked | None) -> Difference | None:
    if booked is None:
        issued = refund.status == RefundStatus.ISSUED
        return Difference("we have it as issued, the provider has no refund under this key") if issued else None
    if isinstance(booked.outcome, Refunded) and refund.status != RefundStatus.ISSUED:
        settle = partial(commands.settle_refund, RefundId(refund.id), booked.outcome.reference)
        return Difference(f"we have it as {refund.status}, the provider refunded", settle)
    return None


def _store_discrepancies(report: Report) -> None:
    """Store each discrepancy once; `ignore_conflicts` skips those that are stored already."""
    now = clock.now()
    found = [Discrepancy(subject=key, finding=finding, found_at=now) for key, finding in report.discrepancies.items()]
    Discrepancy.objects.bulk_create(found, ignore_conflicts=True)


def open_discrepancies() -> QuerySet[Discrepancy]:
    """The discrepancies that no operator has settled yet."""
    return Discrepancy.objects.filter(settled_at=None)
