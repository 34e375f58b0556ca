"""What becomes of a delivery that was claimed: done, put off, parked, given back, failed, or dead.

Whatever becomes of it is written only as long as it is still ours: whoever claims it again counts another attempt, and
from then on the outcome is theirs to write.
"""

import logging
import random
import traceback
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from operator import attrgetter

from django.conf import settings
from django.db import connection
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Least

from integration.aggregates.unit_of_work import current_unit_of_work
from integration.contracts.contract import IntegrationEvent
from integration.domain import clock
from integration.domain.errors import NotYet
from integration.domain.naming import UnknownName
from integration.domain.redaction import without_rows
from integration.history.personal_data import PersonalData
from integration.messaging.claim import CLOCKS_DIFFER, Claim
from integration.messaging.models import PARKED_BECAUSE, Delivery, Message, Status
from integration.messaging.routines import Routine, register
from integration.messaging.wakeups import DeliveryQueue, wake
from integration.storage.reading import select
from integration.storage.sql import each_of, keys, selected, wanted
from integration.storage.writing import Update

log = logging.getLogger(__name__)

LONGEST_BACK_OFF = timedelta(minutes=10)
"""No failed attempt is tried again later than this."""

PARKED_FOR = timedelta(minutes=1)
"""How long a parked delivery waits to be looked at again: by then a worker of another version may take it."""

RESCHEDULED = ["attempts", "in_flight", "due_at", "error", "traceback"]
"""The columns in which a delivery differs that is to be tried later, as if it had not been claimed."""

A_MOMENT = (0.001, 0.01)
"""Seconds after which it is looked again for what somebody held: the first is as long as a claim takes."""

Readable = tuple[Delivery, IntegrationEvent]
"""A delivery whose event this code can read."""


class ClaimLost(RuntimeError):
    """Another worker has handled the delivery in the meantime, so this one takes back what it did."""


STILL_PENDING = "integration_delivery.status || '' = 'pending'"
"""Asked of rows that are known by their keys, and in words that the index of all that is pending does not match:
PostgreSQL would rather go through the whole of that."""

MARK_DONE = Update(
    Delivery,
    ("done_at",),
    and_set=f"status = '{Status.DONE}', in_hand = FALSE, error = '', traceback = ''",
    only_if=STILL_PENDING,
    otherwise=ClaimLost,
)


def claimed(claims: Sequence[Claim]) -> QuerySet[Delivery]:
    """The deliveries that are still ours: whoever claims again counts another attempt."""
    pending = Delivery.objects.filter(pk__in=[claim.id for claim in claims], status=Status.PENDING)
    return pending.filter(attempts=claims[0].attempt).select_related("message").order_by("pk")


def take(claims: Sequence[Claim], locked: bool = False) -> list[Delivery]:
    """The deliveries that are still ours, with their messages and what is personal of those; one query, unless some are
    missing.

    Args:
        locked: whether nobody else is to touch them until the transaction ends; one that somebody does is left out. But
            who was about to claim what we have claimed holds it, too, for a moment, so it is looked for again.
    """
    found = _take(claims, locked)
    may_be_held = locked and connection.features.has_select_for_update_skip_locked
    for pause in A_MOMENT if may_be_held else ():
        if len(found) == len(claims):
            break
        clock.pause(pause)
        known = {delivery.pk for delivery in found}
        found += _take([each for each in claims if each.id not in known], locked)
    return sorted(found, key=attrgetter("pk"))


def _take(claims: Sequence[Claim], locked: bool) -> list[Delivery]:
    found = []
    ours = [keys(each.id for each in claims), claims[0].attempt]
    for delivery, message, personal_data in select(_taking(locked), ours, Delivery, Message, PersonalData):
        message.personal = personal_data.values or {}
        delivery.message = message
        found.append(delivery)
    return found


@cache
def _taking(locked: bool) -> str:
    ours = f"integration_delivery.id = wanted.key0 AND {STILL_PENDING} AND integration_delivery.attempts = %s"
    return f"""
        SELECT {selected(Delivery)}, {selected(Message)}, {selected(PersonalData)}
        FROM {wanted(Delivery._meta.pk)}
        {each_of("integration_delivery", ours, "FOR UPDATE SKIP LOCKED" if locked else "")}
        {each_of("integration_message", "integration_message.id = integration_delivery.message_id")}
        {each_of("integration_personaldata", "integration_personaldata.id = integration_message.id", if_any=True)}
        ORDER BY integration_delivery.id
    """  # noqa: S608 - names of our own


def claim_of(delivery: Delivery) -> Claim:
    return Claim(delivery.pk, delivery.consumer, delivery.attempts)


def readable(claims: Sequence[Claim], deliveries: Iterable[Delivery]) -> list[Readable]:
    """The deliveries this code can read, with their events; the others are parked."""
    readable, unknown = [], []
    for delivery in deliveries:
        try:
            readable.append((delivery, delivery.message.event))
        except UnknownName as error:
            unknown.append((delivery, str(error)))
    park(unknown, claims)
    return readable


def park(unknown: Sequence[tuple[Delivery, str]], claims: Sequence[Claim]) -> None:
    """Put off what this code does not know, with the reason, as if it had not been claimed; one statement."""
    for delivery, reason in unknown:
        log.warning("%s is parked: %s", delivery, reason)
        delivery.attempts -= 1
        delivery.due_at, delivery.in_flight = clock.now() + PARKED_FOR, False
        delivery.error, delivery.traceback = _storable(f"{PARKED_BECAUSE}{reason}"), ""
    _reschedule(claims, [delivery for delivery, _ in unknown])


def mark_done(deliveries: Sequence[Delivery]) -> None:
    """Have what is still pending marked done with the rest that the unit of work writes; that all of it is, is the
    claim, where a database ignores row locks."""
    now = clock.now()
    current_unit_of_work().write(MARK_DONE, [{"id": delivery.pk, "done_at": now} for delivery in deliveries])


def is_early(delivery: Delivery, error: Exception) -> bool:
    """Whether all that is wrong with a delivery is that it came too early, and there still is patience with it."""
    return isinstance(error, NotYet) and clock.now() - delivery.message.occurred_at < settings.NOT_YET_TIMEOUT


def reschedule(claims: Sequence[Claim], early: Sequence[tuple[Delivery, NotYet]]) -> list[datetime]:
    """Have what came too early tried again soon; that is nobody's fault, so no attempt is charged. One statement.

    Returns:
        From when on each of them can be claimed again.
    """
    for delivery, too_early in early:
        _try_again_soon(delivery)
        _tell_why(delivery, too_early)
    _reschedule(claims, [delivery for delivery, _ in early])
    return [delivery.due_at - CLOCKS_DIFFER for delivery, _ in early]


def _reschedule(claims: Sequence[Claim], deliveries: Sequence[Delivery]) -> None:
    if deliveries:
        claimed(claims).order_by().bulk_update(deliveries, RESCHEDULED)


def _try_again_soon(delivery: Delivery) -> None:
    delivery.attempts -= 1
    delivery.in_flight = False
    # The longer it has been too early, the longer it may still be.
    waited = (clock.now() - delivery.message.occurred_at).total_seconds()
    longest = min(max(waited / 2, 0.01), 0.5)
    wait = timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311
    delivery.due_at = clock.now() + CLOCKS_DIFFER + wait


def release(delivery_queue: DeliveryQueue, claims: Sequence[Claim]) -> None:
    """Let others have what there was no time for, in its old place and as if it had not been claimed; one statement."""
    published = Message.objects.filter(pk=OuterRef("message_id")).values("occurred_at")
    due_at = Least(Subquery(published), clock.now())
    claimed(claims).order_by().update(attempts=F("attempts") - 1, in_flight=False, due_at=due_at)
    wake([delivery_queue])


def note_failure(failed: Claim, error: Exception) -> None:
    """End an attempt, and tell why in its row unless that is another worker's by now."""
    if isinstance(error, ClaimLost):
        log.info("%s: another worker was faster", failed.consumer)
    else:
        record_failure(failed, error)


def record_failure(failed: Claim, error: Exception) -> None:
    delivery = claimed([failed]).first()
    if delivery is None:
        return
    if is_early(delivery, error):
        _try_again_soon(delivery)
    elif failed.attempt >= settings.DELIVERY_MAX_ATTEMPTS:
        delivery.status = Status.DEAD
        log.error("%s is a dead letter after %s attempts: %r", delivery, failed.attempt, error)
    else:
        delivery.due_at = clock.now() + back_off(failed.attempt)
        log.warning("%s failed at attempt %s: %r", delivery, failed.attempt, error)
    _tell_why(delivery, error)
    claimed([failed]).update(
        status=delivery.status,
        attempts=delivery.attempts,
        in_flight=False,
        due_at=delivery.due_at,
        error=delivery.error,
        traceback=delivery.traceback,
    )


def _tell_why(delivery: Delivery, error: Exception) -> None:
    delivery.error = _storable(f"{type(error).__name__}: {error}")
    delivery.traceback = _storable("".join(traceback.format_exception(error)))


def _storable(text: str) -> str:
    """What no database keeps in a text, half characters and NUL, spelled out; and what none should, left out."""
    return without_rows(text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00"))


def back_off(attempt: int) -> timedelta:
    """How long to wait after the attempt failed: doubling from a second to ten minutes, the last half of it random."""
    longest = min(2 ** (attempt - 1), LONGEST_BACK_OFF.total_seconds())
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311


def bring_forward() -> None:
    """Have due now whatever is due later than any back-off lasts: some machine's clock was ahead when that was written,
    and nobody's order waits until the others catch up with it."""
    written_ahead = Delivery.objects.filter(status=Status.PENDING, due_at__gt=clock.now() + LONGEST_BACK_OFF)
    brought = written_ahead.update(due_at=clock.now())
    if brought:
        log.warning("%s deliveries were due far ahead, as a clock that was wrong would have it", brought)


# Not `every`: policies lie above the way between contexts.
register(Routine("integration.bring-deliveries-forward", timedelta(seconds=30), bring_forward))
