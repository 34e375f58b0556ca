"""Exactly once in effect: a delivery is claimed, handled, and marked done in the transaction of what it caused.

Claiming counts the attempt in a transaction of its own, so that even a worker that is killed has been counted. Several
waiting deliveries of one consumer are handled in one transaction; when one of them fails, all of them are taken back
and each is tried alone, so that none is held up by its neighbour. One that only came too early is set aside.

What talks to the outside world does so one delivery after the other, outside of any transaction and for a short time;
then all that was answered is written down and marked done in one. What there was no time for is given back.

What this code does not know, a contract, a version or a consumer of tomorrow or of yesterday, has not failed: it is
*parked*, without being charged an attempt, until code that knows it comes by.
"""

import logging
import random
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Least

from integration.contracts.contract import IntegrationEvent
from integration.domain import clock
from integration.domain.discretion import without_rows
from integration.domain.errors import NotYet
from integration.domain.metadata import caused_by
from integration.domain.naming import UnknownName
from integration.domain.personal_data import recall
from integration.domain.unit_of_work import unit_of_work
from integration.messaging.claim import BATCH, Claim, claim
from integration.messaging.consumers import Consumer, consumers
from integration.messaging.doorbell import Lane, ring
from integration.messaging.models import PARKED_BECAUSE, Delivery, Message, Status
from integration.messaging.schedule import Routine, register

log = logging.getLogger(__name__)

LONGEST_HANDLING = 1.0
"""Seconds after which a batch is committed as far as it has come: orders of a thousand lines take their time, and
nobody should wait for fifty of them to write a row."""

LONGEST_TALK = 0.25
"""Seconds after which nobody else outside is called before what was answered is written down: with a slow provider a
batch is one call, and whoever waits for its answer waits for no other."""

LONGEST_BACK_OFF = timedelta(minutes=10)
"""No failed attempt is tried again later than this."""

PARKED_FOR = timedelta(minutes=1)
"""How long a parked delivery waits to be looked at again: by then a worker of another version may take it."""

LONGEST_WAKE = 0.5
"""Seconds after which a woken worker rings for itself and makes room for other lanes, whose work may be older."""


Readable = tuple[Delivery, IntegrationEvent]
"""A delivery whose event this code can read."""

PUT_OFF = ["attempts", "in_hand", "due_at", "error", "traceback"]
"""The columns in which a delivery differs that is to be tried later, as if it had not been claimed."""


class ClaimLost(RuntimeError):
    """Another worker has handled the delivery in the meantime, so this one takes back what it did."""


class WorkerDied(RuntimeError):
    """Every attempt at this delivery ended with its worker."""


def deliver_due(lane: Lane) -> int:
    """Handle what is due in a lane until nothing is.

    Returns:
        How many attempts were made.
    """
    began = clock.stopwatch()
    attempts = 0
    while claims := claim(lane, _paces[lane]):
        if not attempts and len(claims) == BATCH:
            ring([lane])  # there may be work for two
        claimed_at = clock.stopwatch()
        left: list[Claim] = []
        for consumer, of_consumer in _by_consumer(claims).items():
            left += of_consumer if left else _attempt(consumer, of_consumer)
        attempts += len(claims) - len(left)
        if lane.outside:
            _keep_pace(lane, len(claims) - len(left), clock.stopwatch() - claimed_at)
        if left:
            _give_back(lane, left)
        if clock.stopwatch() - began > LONGEST_WAKE:
            ring([lane])
            break
    return attempts


_paces: dict[Lane, int] = defaultdict(lambda: BATCH)
"""How many deliveries of a lane this process claims together."""


def _keep_pace(lane: Lane, attempts: int, seconds: float) -> None:
    """Claim no more together than the outside world lately answered in time: others could have done the rest."""
    _paces[lane] = max(attempts, 1) if seconds > LONGEST_TALK else min(2 * _paces[lane], BATCH)


def _attempt(name: str, claims: Sequence[Claim]) -> Sequence[Claim]:
    """Handle deliveries of one consumer, together or else each alone; returns those there was no time for."""
    try:
        return _handle(name, claims)
    except Exception as error:  # whatever a handler raises is that delivery's failure, told in its row
        if len(claims) == 1:
            _note_failure(claims[0], error)
            return []
    began = clock.stopwatch()
    for n, each in enumerate(claims):
        if clock.stopwatch() - began > LONGEST_HANDLING:
            return claims[n:]
        _attempt(name, [each])
    return []


def _handle(name: str, claims: Sequence[Claim]) -> Sequence[Claim]:
    if claims[0].attempt > settings.DELIVERY_MAX_ATTEMPTS:
        raise WorkerDied(WorkerDied.__doc__)
    if name not in consumers:
        _park([(delivery, f"no consumer is named {name!r}") for delivery in _claimed(claims)], claims)
        return []
    consumer = consumers.get(name)
    if consumer.outside:
        return _handle_outside(consumer, claims)
    left = claims
    while left:
        left = _handle_together(consumer, left)
    return []


def _handle_together(consumer: Consumer, claims: Sequence[Claim]) -> list[Claim]:
    """Handle as many as fit into one short transaction; returns those that are left for the next."""
    began = clock.stopwatch()
    with unit_of_work() as work:
        deliveries = _readable(claims, _claimed(claims).select_for_update(of=("self",), skip_locked=True))
        if consumer.prepare and deliveries:
            consumer.prepare([event for _, event in deliveries])
        handled: list[Delivery] = []
        early: list[Delivery] = []
        for delivery, event in deliveries:
            with caused_by(delivery.message.cause):
                too_early = work.came_too_early(partial(consumer.handle, event))
            if too_early is None:
                handled.append(delivery)
            elif _is_early(delivery, too_early):
                _put_off(delivery)
                _tell_why(delivery, too_early)
                early.append(delivery)
            else:
                raise too_early
            if clock.stopwatch() - began > LONGEST_HANDLING:
                break
        _mark_done(handled)
        _claimed(claims).order_by().bulk_update(early, PUT_OFF)
    left = {delivery.pk for delivery, _ in deliveries[len(handled) + len(early) :]}
    return [claim for claim in claims if claim.id in left]


class Answer(NamedTuple):
    """What came of talking to the outside world about a delivery."""

    delivery: Delivery
    event: IntegrationEvent
    write_down: Callable[[], object] | None


def _handle_outside(consumer: Consumer, claims: Sequence[Claim]) -> list[Claim]:
    """Talk to the outside world for a short time, and write down what it said; returns those there was no time for."""
    deliveries = _readable(claims, _claimed(claims))
    if not deliveries:
        return []
    answers, left = _talk(consumer, deliveries)
    if answers:
        _write_down(consumer, answers)
    return [_claim_of(delivery) for delivery, _ in left]


def _talk(consumer: Consumer, deliveries: Sequence[Readable]) -> tuple[list[Answer], Sequence[Readable]]:
    """Call the outside world about one delivery after the other; returns its answers, and those it was not asked."""
    answers: list[Answer] = []
    with _read(consumer, [event for _, event in deliveries]) as given:
        began = clock.stopwatch()
        for n, (delivery, event) in enumerate(deliveries):
            if n and clock.stopwatch() - began > LONGEST_TALK:
                return answers, deliveries[n:]
            try:
                with caused_by(delivery.message.cause):
                    answers.append(Answer(delivery, event, consumer.handle(event, *given)))
            except Exception as error:  # and nobody else's: the others were answered, or will be
                _note_failure(_claim_of(delivery), error)
    return answers, []


@contextmanager
def _read(consumer: Consumer, events: Sequence[IntegrationEvent]) -> Iterator[tuple[Any, ...]]:
    """What the consumer's calls are given besides the event: what it read for all of them, entered if it can be."""
    if consumer.read is None:
        yield ()
        return
    read = consumer.read(events)
    with read if isinstance(read, AbstractContextManager) else nullcontext(read) as given:
        yield (given,)


def _write_down(consumer: Consumer, answers: Sequence[Answer]) -> None:
    """Write down what was answered, and that it is done, in one unit of work; if that fails, in one for each of them.

    Nobody is called again for what a neighbour's outcome could not be written down.
    """
    about = [answer.event for answer in answers if answer.write_down]
    try:
        with unit_of_work() if about else nullcontext():
            if consumer.prepare and about:
                consumer.prepare(about)
            for delivery, _, write_down in answers:
                if write_down:
                    with caused_by(delivery.message.cause):
                        write_down()
            _mark_done([answer.delivery for answer in answers])
    except Exception as error:
        if len(answers) == 1:
            _note_failure(_claim_of(answers[0].delivery), error)
        else:
            for answer in answers:
                _write_down(consumer, [answer])


def _claim_of(delivery: Delivery) -> Claim:
    return Claim(delivery.pk, delivery.consumer, delivery.attempts)


def _readable(claims: Sequence[Claim], deliveries: Iterable[Delivery]) -> list[Readable]:
    """The deliveries this code can read, with their events; the others are parked."""
    readable, unknown, found = [], [], list(deliveries)
    recall(delivery.message for delivery in found)
    for delivery in found:
        try:
            readable.append((delivery, delivery.message.event))
        except UnknownName as error:
            unknown.append((delivery, str(error)))
    _park(unknown, claims)
    return readable


def _park(unknown: Sequence[tuple[Delivery, str]], claims: Sequence[Claim]) -> None:
    """Put off what this code does not know, with the reason, as if it had not been claimed; one statement."""
    for delivery, reason in unknown:
        log.warning("%s is parked: %s", delivery, reason)
        delivery.attempts -= 1
        delivery.due_at, delivery.in_hand = clock.now() + PARKED_FOR, False
        delivery.error, delivery.traceback = _storable(f"{PARKED_BECAUSE}{reason}"), ""
    parked = [delivery for delivery, _ in unknown]
    _claimed(claims).order_by().bulk_update(parked, PUT_OFF)


def _is_early(delivery: Delivery, error: Exception) -> bool:
    """Whether all that is wrong with a delivery is that it came too early, and there still is patience with it."""
    return isinstance(error, NotYet) and clock.now() - delivery.message.occurred_at < settings.NOT_YET_PATIENCE


def _put_off(delivery: Delivery) -> None:
    """Have what came too early tried again soon; that is nobody's fault, so no attempt is charged."""
    delivery.attempts -= 1
    delivery.in_hand = False
    delivery.due_at = clock.now() + timedelta(seconds=random.uniform(0.2, 0.6))  # noqa: S311


def _claimed(claims: Sequence[Claim]) -> QuerySet[Delivery]:
    """The deliveries that are still ours: whoever claims again counts another attempt."""
    pending = Delivery.objects.filter(pk__in=[claim.id for claim in claims], status=Status.PENDING)
    return pending.filter(attempts=claims[0].attempt).select_related("message").order_by("pk")


def _mark_done(deliveries: Sequence[Delivery]) -> None:
    """Mark done what is still pending; that the count is right is the claim, where a database ignores row locks."""
    pending = Delivery.objects.filter(pk__in=[d.pk for d in deliveries], status=Status.PENDING)
    done = pending.update(status=Status.DONE, done_at=clock.now(), in_hand=False, error="", traceback="")
    if done != len(deliveries):
        raise ClaimLost(ClaimLost.__doc__)


def _give_back(lane: Lane, claims: Sequence[Claim]) -> None:
    """Let others have what there was no time for, in its old place and as if it had not been claimed; one statement."""
    published = Message.objects.filter(pk=OuterRef("message_id")).values("occurred_at")
    due_at = Least(Subquery(published), clock.now())
    _claimed(claims).order_by().update(attempts=F("attempts") - 1, in_hand=False, due_at=due_at)
    ring([lane])


def _note_failure(failed: Claim, error: Exception) -> None:
    """End an attempt, and tell why in its row unless that is another worker's by now."""
    if isinstance(error, ClaimLost):
        log.info("%s: another worker was faster", failed.consumer)
    else:
        _record_failure(failed, error)


def _record_failure(failed: Claim, error: Exception) -> None:
    delivery = _claimed([failed]).first()
    if delivery is None:
        return
    if _is_early(delivery, error):
        _put_off(delivery)
    elif failed.attempt >= settings.DELIVERY_MAX_ATTEMPTS:
        delivery.status = Status.DEAD
        log.error("%s is a dead letter after %s attempts: %r", delivery, failed.attempt, error)
    else:
        delivery.due_at = clock.now() + back_off(failed.attempt)
        log.warning("%s failed at attempt %s: %r", delivery, failed.attempt, error)
    _tell_why(delivery, error)
    _claimed([failed]).update(
        status=delivery.status,
        attempts=delivery.attempts,
        in_hand=False,
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


def _by_consumer(claims: Sequence[Claim]) -> dict[str, list[Claim]]:
    by_consumer: dict[str, list[Claim]] = defaultdict(list)
    for each in claims:
        by_consumer[each.consumer].append(each)
    return by_consumer
