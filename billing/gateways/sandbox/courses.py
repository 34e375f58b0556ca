"""What becomes of the sandbox's transactions in time, and what people and banks do about them.

A standing that ends by itself does so when it is looked at: nothing has to run at that moment.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, NamedTuple

from django.db.models import Sum

from billing.gateways import (
    ActionRequired,
    Authorized,
    Booked,
    Captured,
    Charged,
    Declined,
    Disputed,
    Expired,
    Outcome,
    Pending,
    Refunded,
    RefundFailed,
    Voided,
)
from billing.gateways.sandbox.methods import AUTHENTICATION, DISPUTED, TRANSFER
from billing.gateways.sandbox.models import Course, Kind, Standing, Transaction
from integration.domain import clock
from integration.domain.errors import Refused
from integration.domain.identifiers import new_event_id

ACTION_LASTS = timedelta(hours=1)
TRANSFER_SETTLES, TRANSFER_EXPIRES = timedelta(days=2), timedelta(days=7)
AUTHORIZATION_LASTS = timedelta(days=7)
REFUND_FAILS_AFTER = timedelta(days=1)
EVIDENCE_DUE = timedelta(days=9)
"""How long each standing lasts by itself."""

BANK_PAGE = "https://bank.example/3ds/"

BY_ITSELF: Mapping[str, Standing] = {
    Standing.ACTION_REQUIRED: Standing.EXPIRED,
    Standing.PENDING: Standing.CHARGED,
    Standing.AUTHORIZED: Standing.EXPIRED,
    Standing.REFUNDED: Standing.REFUND_FAILED,
    Standing.NEEDS_RESPONSE: Standing.LOST,
    Standing.WARNING: Standing.WON,
}
"""What each standing becomes at its due time."""

Play = Literal["settle", "fail", "expire", "complete_action", "fail_action", "dispute", "inquire", "win", "lose"]
"""What in life the bank or the buyer does."""


class CannotPlay(Refused):
    """This cannot happen to the transaction as it stands."""


def fingerprint_of(what: str, method: str, amount: object) -> str:
    """What was asked for: to `charge` or to `authorize`."""
    return f"{what} {method} {amount}"


def method_of(charge: Transaction) -> str:
    """The payment method of a charge."""
    return charge.fingerprint.split(" ")[1]


def course_of(entry: Transaction) -> Course | None:
    """The course of a transaction, as it stands now; None if it was settled at once."""
    course: Course | None = getattr(entry, "course", None)
    if course and course.due_at and course.due_at <= clock.now() and course.standing in BY_ITSELF:
        if course.standing == Standing.AUTHORIZED and captured_of(entry):
            return course
        course.standing = BY_ITSELF[course.standing]
        course.code = course.code or "lost_or_stolen_card"
    return course


def captured_of(charge: Transaction) -> int:
    """The minor units that were captured of an authorization."""
    return charge.refunds.filter(kind=Kind.CAPTURE).aggregate(Sum("amount_minor"))["amount_minor__sum"] or 0


class Moved(NamedTuple):
    """The minor units of a charge that its captures took, its refunds returned without what failed, and its disputes
    have withdrawn."""

    captured: int
    refunded: int
    disputed: int


def moved_of(charge: Transaction) -> Moved:
    """What was moved of a charge after it; one query."""
    sums = dict.fromkeys(Kind, 0)
    for each in charge.refunds.select_related("course"):
        course = course_of(each)
        if course is None or course.standing in (Standing.REFUNDED, Standing.NEEDS_RESPONSE, Standing.LOST):
            sums[Kind(each.kind)] += each.amount_minor
    return Moved(sums[Kind.CAPTURE], sums[Kind.CHARGE_OR_REFUND], sums[Kind.DISPUTE])


def begin(entry: Transaction, standing: Standing, lasts: timedelta, code: str = "") -> None:
    """Give a new transaction a course; its transaction commits both."""
    due_at = clock.now() + lasts
    entry.course, _ = Course.objects.get_or_create(pk=entry.pk, defaults=_course(standing, due_at, code))


def _course(standing: Standing, due_at: object, code: str) -> dict[str, object]:
    return {"standing": standing, "due_at": due_at, "code": code}


def begin_charge(charge: Transaction, method: str) -> None:
    """Begin the course of a new charge that is not settled at once."""
    if method == AUTHENTICATION:
        begin(charge, Standing.ACTION_REQUIRED, ACTION_LASTS)
    elif method == TRANSFER:
        begin(charge, Standing.PENDING, TRANSFER_SETTLES)
    elif is_authorization(charge) and not charge.decline_code:
        begin(charge, Standing.AUTHORIZED, AUTHORIZATION_LASTS)
    elif method == DISPUTED:
        open_dispute(charge)


def is_authorization(charge: Transaction) -> bool:
    """Whether the charge was to be authorized only."""
    return charge.fingerprint.startswith("authorize ")


def open_dispute(charge: Transaction, standing: Standing = Standing.NEEDS_RESPONSE) -> Transaction:
    """Dispute the whole of a charge."""
    reference = f"dp_{new_event_id().hex}"
    kind = "inquiry" if standing == Standing.WARNING else "chargeback"
    dispute = Transaction.objects.create(
        key=reference,
        fingerprint=f"{kind} {charge.reference}",
        reference=reference,
        charge=charge,
        currency=charge.currency,
        amount_minor=charge.amount_minor,
        kind=Kind.DISPUTE,
    )
    begin(dispute, standing, EVIDENCE_DUE)
    return dispute


def play(entry: Transaction, what: Play) -> Transaction:
    """Let something happen to a charge, or let a refund fail; the row is locked. Returns the transaction that changed.

    Raises:
        CannotPlay: it cannot happen as things stand.
    """
    course = course_of(entry)
    at = course.standing if course else Standing.REFUNDED if entry.charge_id else Standing.CHARGED
    if what in ("dispute", "inquire"):
        if at != Standing.CHARGED or entry.decline_code or moved_of(entry).disputed:
            raise CannotPlay(f"it is not a charge that is not disputed: {at}")
        return open_dispute(entry, Standing.WARNING if what == "inquire" else Standing.NEEDS_RESPONSE)
    if what in ("win", "lose"):
        for dispute in entry.refunds.filter(kind=Kind.DISPUTE).select_related("course"):
            stands = course_of(dispute)
            if stands and stands.standing in (Standing.NEEDS_RESPONSE, Standing.WARNING):
                return _stand(dispute, stands, Standing.WON if what == "win" else Standing.LOST)
        raise CannotPlay("it has no open dispute")
    if at == Standing.REFUNDED and what == "fail":
        begin(entry, Standing.REFUNDED, REFUND_FAILS_AFTER)
        return _stand(entry, entry.course, Standing.REFUND_FAILED, "lost_or_stolen_card")
    to = _ways(entry).get((at, what))
    if course is None or to is None:
        raise CannotPlay(f"it is {at}")
    return _stand(entry, course, to[0], to[1], AUTHORIZATION_LASTS if to[0] == Standing.AUTHORIZED else None)


def _ways(entry: Transaction) -> Mapping[tuple[str, str], tuple[Standing, str]]:
    """What may happen to a charge: the standing and the code that it leads to, by its standing."""
    completed = Standing.AUTHORIZED if is_authorization(entry) else Standing.CHARGED
    ways = {
        (Standing.ACTION_REQUIRED.value, "complete_action"): (completed, ""),
        (Standing.ACTION_REQUIRED.value, "fail_action"): (Standing.DECLINED, "authentication_failed"),
        (Standing.ACTION_REQUIRED.value, "expire"): (Standing.EXPIRED, ""),
        (Standing.PENDING.value, "settle"): (Standing.CHARGED, ""),
        (Standing.PENDING.value, "fail"): (Standing.DECLINED, "transfer_failed"),
        (Standing.PENDING.value, "expire"): (Standing.EXPIRED, ""),
        (Standing.AUTHORIZED.value, "expire"): (Standing.EXPIRED, ""),
    }
    if method_of(entry) == TRANSFER:  # a transfer arrives although nobody waits for it anymore
        ways[Standing.EXPIRED.value, "settle"] = (Standing.CHARGED, "")
    return ways


def _stand(
    entry: Transaction, course: Course, standing: Standing, code: str = "", lasts: timedelta | None = None
) -> Transaction:
    course.standing, course.code = standing, code
    course.due_at = clock.now() + lasts if lasts else None
    course.is_played = lasts is None
    course.save()
    entry.course = course
    return entry


def cancel(entry: Transaction) -> None:
    """Let a charge expire that waits for the buyer or for the money; nothing else changes. The row is locked."""
    course = course_of(entry)
    if course and course.standing in (Standing.ACTION_REQUIRED, Standing.PENDING):
        _stand(entry, course, Standing.EXPIRED)


def void(entry: Transaction) -> None:
    """Release what is not captured of an authorization; the row is locked."""
    course = course_of(entry)
    if course is None or course.standing != Standing.AUTHORIZED:
        return
    if captured_of(entry):
        course.due_at, course.is_played = clock.now(), True
        course.save()
    else:
        _stand(entry, course, Standing.VOIDED)


def booked(entry: Transaction) -> Booked:
    """The sandbox's entry of a transaction, as it stands now."""
    return Booked(entry.key, _outcome(entry, course_of(entry)), entry.amount)


def _outcome(entry: Transaction, course: Course | None) -> Outcome:
    reference = entry.reference
    if entry.kind == Kind.CAPTURE:
        return Captured(reference, _charge_of(entry))
    if course is None:
        if entry.charge_id:
            return Refunded(reference)
        return Declined(entry.decline_code) if entry.decline_code else Charged(reference)
    due_at = course.due_at or clock.now()
    match course.standing:
        case Standing.ACTION_REQUIRED:
            return ActionRequired(reference, "redirect", due_at, url=BANK_PAGE + reference)
        case Standing.PENDING:
            return Pending(reference, due_at + TRANSFER_EXPIRES - TRANSFER_SETTLES)
        case Standing.AUTHORIZED:
            return Authorized(reference, due_at)
        case Standing.DECLINED:
            return Declined(course.code)
        case Standing.EXPIRED:
            return Expired(reference)
        case Standing.VOIDED:
            return Voided(reference)
        case Standing.REFUNDED:
            return Refunded(reference)
        case Standing.REFUND_FAILED:
            return RefundFailed(reference, course.code)
        case Standing.WARNING | Standing.NEEDS_RESPONSE | Standing.WON | Standing.LOST:
            return _disputed(entry, course)
    return Charged(reference)


def _disputed(entry: Transaction, course: Course) -> Disputed:
    return Disputed(
        entry.reference,
        _charge_of(entry),
        entry.amount,
        kind="inquiry" if entry.fingerprint.startswith("inquiry") else "chargeback",
        status=Standing(course.standing).value,  # type: ignore[arg-type]  # of a dispute, it has no other words
        evidence_due=course.due_at if course.standing in (Standing.WARNING, Standing.NEEDS_RESPONSE) else None,
    )


def _charge_of(entry: Transaction) -> str:
    return entry.charge.reference if entry.charge else ""
