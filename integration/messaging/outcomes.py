"""The outcome of a claimed delivery: done, rescheduled, released, failed or dead.

An outcome is written only while the claim is still valid. If another worker has claimed the delivery again, its fencing
token has grown, and only that worker may write the outcome.
"""

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from operator import attrgetter

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet

from integration.aggregates.unit_of_work import current_unit_of_work
from integration.domain import clock
from integration.domain.errors import NotYet, OutcomeUnknown
from integration.history.personal_data import PersonalData
from integration.messaging.attempts import log_failure
from integration.messaging.claim import CLOCKS_DIFFER, Claim
from integration.messaging.consumer_states import note_failed, note_wait
from integration.messaging.consumers import Consumer, consumers
from integration.messaging.error_texts import set_error
from integration.messaging.failure_groups import FailureGroup, group_of, note_seen
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.wakeups import DeliveryQueue, wake
from integration.storage.reading import select
from integration.storage.row_locks import lock_in_order
from integration.storage.sql import each_of, keys, selected, wanted
from integration.storage.writing import Update

log = logging.getLogger(__name__)

RESCHEDULED = ["attempts", "in_flight", "due_at", "uncharged_since", "error", "traceback"]
"""The columns to write when a delivery is retried later as if it had not been claimed."""

CONFLICTS = ("40P01", "40001", "55P03")
"""The SQLSTATEs `deadlock_detected`, `serialization_failure` and `lock_not_available`."""

CONFLICT_TIMEOUT = timedelta(minutes=1)
"""How long conflicts are not charged, from the first attempt on that was not. Then each uses up an attempt, so that two
reactions which always meet in a deadlock become dead letters instead of retrying for ever."""

LONGEST_UNKNOWN = timedelta(minutes=5)
"""The longest wait for an external system whose response is missing, unless it asks for more."""

LOCK_RETRY_PAUSES = (0.001, 0.01)
"""Seconds to wait before each new look at rows that another transaction has locked. The first is about the duration of
a claim."""


class ClaimLost(RuntimeError):
    """The delivery is no longer pending: another worker or an operator has settled it, so this worker rolls back its
    effects."""


STILL_PENDING = "integration_delivery.status || '' = 'pending'"
"""`|| ''` hides the column from the partial index on pending rows. Without it PostgreSQL scans that whole index instead
of using the primary key."""

MARK_DONE = Update(
    Delivery,
    ("done_at",),
    and_set=f"status = '{Status.DONE}', in_hand = FALSE, error = '', traceback = ''",
    only_if=STILL_PENDING,
    otherwise=ClaimLost,
)

MARK_CALLED = MARK_DONE._replace(only_if="integration_delivery.status || '' IN ('pending', 'dead')")
"""Marks a delivery done whose external call has returned, even if the delivery died meanwhile: the call was made."""


def claimed(claims: Sequence[Claim]) -> QuerySet[Delivery]:
    """The deliveries whose claims are still valid: pending and in flight, with an unchanged fencing token and attempt
    count. An outcome that is written ends the claim.

    The attempt count is compared too, because older code that runs meanwhile claims without raising the token.
    """
    pending = Delivery.objects.filter(pk__in=[claim.id for claim in claims], status=Status.PENDING, in_flight=True)
    valid = pending.filter(fencing_token=claims[0].fencing_token, attempts=claims[0].attempt)
    return valid.select_related("message").order_by("pk")


def take(claims: Sequence[Claim], locked: bool = False) -> list[Delivery]:
    """Load the deliveries whose claims are still valid, with their messages and personal data, in order of id.

    One query, or up to two more if rows are missing.

    Args:
        claims: the claims, all made by one statement.
        locked: lock the rows until the transaction ends. Rows that another transaction has locked are left out. A
            worker that was about to claim the same rows also locks them for a moment, so missing rows are looked for
            again.
    """
    found = _take(claims, locked)
    may_be_held = locked and connection.features.has_select_for_update_skip_locked
    for pause in LOCK_RETRY_PAUSES if may_be_held else ():
        if len(found) == len(claims):
            break
        clock.pause(pause)
        known = {delivery.pk for delivery in found}
        found += _take([each for each in claims if each.id not in known], locked)
    return sorted(found, key=attrgetter("pk"))


def _take(claims: Sequence[Claim], locked: bool) -> list[Delivery]:
    found = []
    ours = [keys(each.id for each in claims), claims[0].fencing_token, claims[0].attempt]
    for delivery, message, personal_data in select(_taking(locked), ours, Delivery, Message, PersonalData):
        message.personal = personal_data.values or {}
        delivery.message = message
        found.append(delivery)
    return found


@cache
def _taking(locked: bool) -> str:
    claim = "integration_delivery.fencing_token = %s AND integration_delivery.attempts = %s"
    ours = f"integration_delivery.id = wanted.key0 AND {STILL_PENDING} AND {claim}"
    personal = "integration_personaldata.id = integration_message.id"
    # The lock of the delivery may be gained just after a person was erased, while the statement still sees what was
    # there before. With a lock of its own, a personal value that is deleted meanwhile is not read.
    unerased = "FOR KEY SHARE" if locked else ""
    return f"""
        SELECT {selected(Delivery)}, {selected(Message)}, {selected(PersonalData)}
        FROM {wanted(Delivery._meta.pk)}
        {each_of("integration_delivery", ours, "FOR UPDATE SKIP LOCKED" if locked else "")}
        {each_of("integration_message", "integration_message.id = integration_delivery.message_id")}
        {each_of("integration_personaldata", personal, unerased, if_any=True)}
        ORDER BY integration_delivery.id
    """  # noqa: S608 - names of our own


def still_valid(claims: Sequence[Claim], taken: Sequence[Delivery]) -> list[Claim]:
    """The claims without a taken delivery that are valid even so: another transaction has locked their rows.

    Such a transaction may be parking or erasing many deliveries, or have locked a row just before it saw the claim. One
    query, unless all are taken.
    """
    known = {delivery.pk for delivery in taken}
    missing = [claim for claim in claims if claim.id not in known]
    valid = {*claimed(missing).order_by().values_list("pk", flat=True)} if missing else set()
    return [claim for claim in missing if claim.id in valid]


def claim_of(delivery: Delivery) -> Claim:
    """The claim under which the delivery was loaded."""
    return Claim(delivery.pk, delivery.consumer, delivery.attempts, delivery.fencing_token)


def mark_done(deliveries: Sequence[Delivery], update: Update = MARK_DONE) -> None:
    """Mark the deliveries done together with the other writes of the unit of work.

    The update raises `ClaimLost` unless every row still meets its condition. This check guards the claim on databases
    that ignore row locks, and an external call, which runs without a lock.
    """
    now = clock.now()
    current_unit_of_work().write(update, [{"id": delivery.pk, "done_at": now} for delivery in deliveries])


def is_early(delivery: Delivery, error: Exception) -> bool:
    """Whether a delivery failed only because it came too early, and has done so for less than
    `settings.NOT_YET_TIMEOUT`."""
    return isinstance(error, NotYet) and _uncharged_for(delivery) < settings.NOT_YET_TIMEOUT


def _lost_to_another(delivery: Delivery, error: Exception) -> bool:
    """Whether PostgreSQL aborted the transaction in favor of another one, which says nothing about the delivery, and
    has done so for less than `CONFLICT_TIMEOUT`."""
    is_conflict = getattr(error.__cause__, "sqlstate", None) in CONFLICTS
    return is_conflict and _uncharged_for(delivery) < CONFLICT_TIMEOUT


def _uncharged_for(delivery: Delivery) -> timedelta:
    """How long attempts of the delivery have not been charged. It counts from the first such attempt: before, nobody
    tried."""
    return clock.now() - delivery.uncharged_since if delivery.uncharged_since else timedelta()


def reschedule(claims: Sequence[Claim], early: Sequence[tuple[Delivery, NotYet]]) -> list[datetime]:
    """Retry deliveries that came too early soon, without using up an attempt, because nothing has failed; one
    statement.

    Args:
        claims: the claims that the deliveries belong to.
        early: each delivery with the error that says what it waits for.

    Returns:
        For each delivery, the moment from which it can be claimed again.
    """
    claimable = []
    for delivery, too_early in early:
        claimable.append(_try_again_soon(delivery) - CLOCKS_DIFFER)
        set_error(delivery, too_early)
    if early:
        claimed(claims).order_by().bulk_update([delivery for delivery, _ in early], RESCHEDULED)
    return claimable


def _try_again_soon(delivery: Delivery) -> datetime:
    """Return the attempt, and set and return a due time within half a second."""
    return _try_again(delivery, timedelta(seconds=0.01), timedelta(seconds=0.5))


def _try_again_until_known(delivery: Delivery, consumer: Consumer, error: Exception) -> None:
    """Return the attempt, and set a due time in seconds to minutes, or when the external system asks for."""
    _try_again(delivery, timedelta(seconds=1), LONGEST_UNKNOWN)
    asked_for = min(getattr(error, "retry_after", None) or timedelta(), consumer.retry_schedule.longest_wait)
    delivery.due_at = max(delivery.due_at or clock.now(), clock.now() + asked_for)


def _try_again(delivery: Delivery, shortest: timedelta, longest: timedelta) -> datetime:
    """Return the attempt, and set and return a due time: the longer no attempt was charged, the longer the next
    wait."""
    now = clock.now()
    delivery.uncharged_since = min(delivery.uncharged_since or now, now)  # the clock may have been set back
    delivery.attempts -= 1
    delivery.in_flight = False
    wait = min(max(_uncharged_for(delivery) / 2, shortest), longest)
    delivery.due_at = due_at = now + CLOCKS_DIFFER + wait * random.uniform(0.5, 1)  # noqa: S311
    return due_at


def release(delivery_queue: DeliveryQueue, claims: Sequence[Claim]) -> None:
    """Let other workers claim what this one had no time for; two statements.

    The deliveries get their attempt back and the position in the delivery queue that the first of them had, as if they
    had not been claimed. Those from the background return there. Rows that another transaction has locked are waited
    for.
    """
    positions = [each.due_at for each in claims if each.due_at]
    due_at = min(clock.now(), *positions) if positions else None
    with transaction.atomic():
        valid = Delivery.objects.filter(pk__in=lock_in_order(claimed(claims))).order_by()
        valid.update(attempts=F("attempts") - 1, in_flight=False, due_at=due_at)
    wake([delivery_queue])


def note_failure(failed: Claim, error: Exception) -> None:
    """End a failed attempt and record its error, unless another worker has claimed the delivery by now."""
    if isinstance(error, ClaimLost):
        log.info("%s: another worker or an operator settled the delivery in the meantime", failed.consumer)
    else:
        record_failure(failed, error)


def record_failure(failed: Claim, error: Exception) -> None:
    """Record a failed attempt if the claim is still valid.

    A delivery that only came too early or lost a deadlock is retried soon and gets its attempt back. So does one whose
    outcome is unknown, if its consumer is `until_known`, and one whose external system says when to ask again; then no
    other delivery of its consumer is tried before. After the last attempt of its consumer's schedule a delivery
    becomes a dead letter. Any other is retried when the schedule says.
    """
    if (delivery := claimed([failed]).first()) is None:
        return
    consumer = consumers.get(failed.consumer)
    retries, is_unknown = consumer.retry_schedule, consumer.until_known and isinstance(error, OutcomeUnknown)
    asks_to_wait = consumer.external and getattr(error, "retry_after", None) is not None
    too_early, lost = is_early(delivery, error), _lost_to_another(delivery, error)
    if too_early:
        _try_again_soon(delivery)
    elif lost:
        _try_again_soon(delivery)
        log_failure(delivery, "%s is retried, because it lost to another transaction: %r", delivery, error)
    elif is_unknown or asks_to_wait:
        _try_again_until_known(delivery, consumer, error)
        log_failure(delivery, "%s is retried until its outcome is known: %r", delivery, error)
    elif failed.attempt >= retries.attempts:
        delivery.status = Status.DEAD
        log_failure(delivery, "%s is a dead letter after %s attempts: %r", delivery, failed.attempt, error)
    else:
        delivery.due_at = clock.now() + retries.wait(failed.attempt, error)
        log_failure(delivery, "%s failed at attempt %s: %r", delivery, failed.attempt, error)
    set_error(delivery, error)
    recorded = _record(failed, delivery, None if too_early or lost else group_of(failed.consumer, error))
    if recorded and asks_to_wait:
        note_wait(failed.consumer, delivery.due_at or clock.now())
    elif recorded and (is_unknown or delivery.attempts == failed.attempt):
        note_failed(failed.consumer, error, died=delivery.status == Status.DEAD)


def _record(failed: Claim, delivery: Delivery, group: FailureGroup | None) -> bool:
    """Write what became of a failed attempt, and count its group if it has one; returns whether the claim was valid."""
    columns = {name: getattr(delivery, name) for name in ("status", *RESCHEDULED)} | {"in_flight": False}
    with transaction.atomic():
        recorded = claimed([failed]).update(**columns, **({"fingerprint": group.pk} if group else {}))
        if recorded and group:
            note_seen(group)
    return bool(recorded)
