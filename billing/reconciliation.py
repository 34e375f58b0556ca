"""Our books and the payment provider's are the same, row by row, or somebody is told.

What is safe is repaired: an outcome we never heard of is written down, from the provider's own books. The rest, such as
money the provider took that nobody here asked for, is a discrepancy for a person to settle.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from billing import commands
from billing.gateways import Booked, Charged, Declined, Refunded, provider
from billing.models import Discrepancy, InvoiceStatus, Payment, PaymentStatus, Refund, RefundStatus
from integration.domain import clock
from integration.domain.identifiers import PaymentId, RefundId

SETTLING = timedelta(minutes=2)
"""What is younger than this may still be on its way, and is left alone."""


class Report(Struct):
    """What a reconciliation looked at, repaired, and could not repair (the subject of each, with what is wrong)."""

    looked_at: int
    repaired: list[str]
    discrepancies: dict[str, str]


class Difference(Struct):
    """What is not the same in both books, and how it is repaired when that is safe."""

    finding: str
    repair: Callable[[], None] | None = None


def reconcile(since: datetime) -> Report:
    """Compare all that happened since a moment; raises `OutcomeUnknown` when the provider cannot be asked."""
    looked_at, differences = compare(since)
    report = Report(looked_at, [], {})
    for key, difference in differences.items():
        if difference.repair:
            difference.repair()
            report.repaired.append(key)
        else:
            report.discrepancies[key] = difference.finding
    _tell(report)
    return report


def compare(since: datetime) -> tuple[int, dict[str, Difference]]:
    """Look at both books and change nothing; raises `OutcomeUnknown` when the provider cannot be asked.

    Returns:
        How many keys were compared, and by key what differs.
    """
    until = clock.now() - SETTLING
    # Ours first: what happens between the two looks is then in the provider's books at least.
    ours = {**_payments(since, until), **_refunds(since, until)}
    theirs = {booked.key: booked for booked in provider().books(since)}
    differences = {key: found for key, row in ours.items() if (found := _compare(row, theirs.get(key)))}
    for key in theirs.keys() - ours.keys() - _known_elsewhere(theirs.keys() - ours.keys()):
        differences[key] = Difference(f"the provider did what nobody here asked for: {theirs[key].amount}")
    return len(theirs.keys() | ours.keys()), differences


def _payments(since: datetime, until: datetime) -> dict[str, Payment | Refund]:
    rows = Payment.objects.filter(created_at__gte=since, created_at__lt=until).select_related("invoice")
    return {payment.id: payment for payment in rows}


def _refunds(since: datetime, until: datetime) -> dict[str, Payment | Refund]:
    return {refund.id: refund for refund in Refund.objects.filter(created_at__gte=since, created_at__lt=until)}


def _known_elsewhere(keys: set[str]) -> set[str]:
    """Those of the provider's keys that are ours, but too young or too old to be compared now."""
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
            return Difference("we think it was paid, the provider never heard of it")
        case None if payment.status in _UNSETTLED and payment.invoice.status == InvoiceStatus.VOID:
            return Difference("it is no longer wanted, and the provider never took it", partial(settle, None))
        case Booked(outcome=Charged() as charged) if payment.status != PaymentStatus.SUCCEEDED:
            return Difference(f"we have it {payment.status}, the provider charged", partial(settle, charged))
        case Booked(outcome=Charged(reference)) if payment.reference != reference:
            return Difference(f"we call it {payment.reference}, the provider {reference}")
        case Booked(outcome=Declined() as declined) if payment.status in _UNSETTLED:
            return Difference(f"we have it {payment.status}, the provider declined", partial(settle, declined))
        case Booked(outcome=Declined()) if payment.status == PaymentStatus.SUCCEEDED:
            return Difference("we think it was paid, the provider declined it")
    return None


_UNSETTLED = (PaymentStatus.REQUESTED, PaymentStatus.UNKNOWN)


def _compare_refund(refund: Refund, booked: Booked | None) -> Difference | None:
    if booked is None:
        issued = refund.status == RefundStatus.ISSUED
        return Difference("we think it was given back, the provider never heard of it") if issued else None
    if isinstance(booked.outcome, Refunded) and refund.status != RefundStatus.ISSUED:
        settle = partial(commands.settle_refund, RefundId(refund.id), booked.outcome.reference)
        return Difference(f"we have it {refund.status}, the provider refunded", settle)
    return None


def _tell(report: Report) -> None:
    """Keep each discrepancy once, until somebody settles it."""
    now = clock.now()
    found = [Discrepancy(subject=key, finding=finding, found_at=now) for key, finding in report.discrepancies.items()]
    Discrepancy.objects.bulk_create(found, ignore_conflicts=True)


def open_discrepancies() -> Iterator[Discrepancy]:
    """What waits for a person."""
    return Discrepancy.objects.filter(settled_at=None).iterator()
