"""Exactly-once effects: a worker claims a delivery, handles it, and marks it done in the transaction of its effects.

The claim counts the attempt in its own transaction, so a worker that is killed has used it up. Deliveries of one
consumer are handled together in one transaction. If one of them fails, that transaction is rolled back and each
delivery is tried alone, so one failure does not block its neighbours. A delivery that only came too early is set aside
and retried soon. So is one that lost a deadlock.

A contract, version or consumer that this code does not know is not a failure; older or newer code may know it. Such a
delivery is *parked*, without using up an attempt, until a worker that knows it runs.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from threading import Lock

from django.db import transaction

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.errors import NotYet
from integration.messaging import external
from integration.messaging.attempts import note_done
from integration.messaging.call_threads import call_threads, is_given_up
from integration.messaging.claim import BATCH, PAUSED, WAITS, Claim, claim
from integration.messaging.consumers import Consumer, consumers
from integration.messaging.external import adapt_batch_size, claim_sizes, handle_external
from integration.messaging.flow import wait_as_asked
from integration.messaging.holding import hold, note_attempt
from integration.messaging.models import Delivery
from integration.messaging.outcomes import (
    is_early,
    mark_done,
    note_failure,
    release,
    reschedule,
    still_valid,
    take,
)
from integration.messaging.parking import Readable, is_obstructed, park, park_in_front, readable
from integration.messaging.wakeups import DeliveryQueue, reserving_one, wake, wake_for_reserved
from integration.tracing import batch_span, delivering

log = logging.getLogger(__name__)

LONGEST_HANDLING = 0.1
"""Seconds after which a batch commits the deliveries handled so far. An order of a thousand lines takes long to handle;
without this limit its locks and results would be held until all fifty of a batch are done."""

LONGEST_CLAIM = 0.5
"""Seconds after which a worker begins no further transaction for the deliveries of a claim and releases the rest. It is
far below the lease, so what waits for slow handlers neither counts as lost nor keeps idle workers waiting."""

LONGEST_EARLY_WAIT = 0.1
"""Seconds a worker waits for a delivery that came too early to become due again. The message it depends on is about to
be committed; the sweep would find the delivery only a second later."""

batch_sizes: dict[str, int] = defaultdict(lambda: BATCH)
"""Deliveries of a consumer that this process handles together. A batch reads all its events and locks all their
aggregates first. With large orders it therefore starts only as many as it can handle in time."""

CALLS_HAVE_THREADS = True
"""Whether a woken worker handles external deliveries in threads of their own. Tests in one transaction cannot."""

LONGEST_WAKE = 0.5
"""Seconds after which a woken worker sends itself a new wake-up and lets other delivery queues run, whose work may be
older."""


class WorkerDied(RuntimeError):
    """The worker died during every attempt at this delivery."""


def deliver_onward(delivery_queue: DeliveryQueue) -> None:
    """Handle the due deliveries of a delivery queue, then of one that this work added deliveries to, and so on.

    After `LONGEST_WAKE` seconds a worker is woken for what is left.
    """
    began = clock.stopwatch()
    with reserving_one() as reserved:
        reserved.add(delivery_queue)
        while reserved and clock.stopwatch() - began < LONGEST_WAKE:
            next_queue = reserved.pop()
            if next_queue.external and CALLS_HAVE_THREADS:
                reserved |= _deliver_in_thread(next_queue)
            else:
                deliver_due(next_queue)


def _deliver_in_thread(delivery_queue: DeliveryQueue) -> set[DeliveryQueue]:
    """Handle the due external deliveries of a delivery queue in a thread, and wait for it for a moment.

    Returns:
        The delivery queue that the thread has reserved, for this thread to go on with. If the thread takes longer, it
        wakes a worker for it.
    """
    lock, is_waiting, reserved_there = Lock(), True, set[DeliveryQueue]()

    def work() -> None:
        with reserving_one() as reserved:
            deliver_due(delivery_queue)
            with lock:
                if is_waiting:
                    reserved_there.update(reserved)
                    reserved.clear()

    call_threads.run(delivery_queue, work)
    with lock:
        is_waiting = False
    return reserved_there


def deliver_due(delivery_queue: DeliveryQueue) -> int:
    """Handle the due deliveries of a delivery queue until none is left or the time is up.

    Returns:
        The number of attempts made.
    """
    began = clock.stopwatch()
    attempts = 0
    early: list[datetime] = []
    while True:
        was_obstructed = is_obstructed(delivery_queue)
        claims = claim(delivery_queue, claim_sizes[delivery_queue], newest_first=was_obstructed)
        if not attempts and len(claims) == claim_sizes[delivery_queue]:
            wake([delivery_queue])  # a full batch: there may be work for a second worker
        left = _attempt_all(delivery_queue, claims, early)
        attempts += len(claims) - len(left)
        park_in_front(delivery_queue)
        more = was_obstructed or bool(left) or (bool(claims) and claims[-1].more)
        wait = 0.0 if more else _seconds_until_early_are_due(early)
        if wait is None or is_given_up():
            break  # deliveries published since then have sent their own wake-up
        looked_past = was_obstructed and is_obstructed(delivery_queue)
        if looked_past or clock.stopwatch() - began > LONGEST_WAKE:
            wake([delivery_queue])
            break
        wake_for_reserved()
        if wait:
            clock.pause(wait)
            early.clear()
    return attempts


def _attempt_all(delivery_queue: DeliveryQueue, claims: Sequence[Claim], early: list[datetime]) -> list[Claim]:
    """Handle what one statement claimed; returns the claims left for lack of time or locked, which are released."""
    if not claims:
        return []
    began = clock.stopwatch()
    left: list[Claim] = []
    for consumer, of_consumer in _by_consumer(claims).items():
        is_late = clock.stopwatch() - began > LONGEST_CLAIM
        left += of_consumer if left or is_late else _attempt_unless_paused(consumer, of_consumer, early)
    longest = external.LONGEST_CALLING if delivery_queue.external else LONGEST_CLAIM
    adapt_batch_size(delivery_queue, len(claims) - len(left), clock.stopwatch() - began > longest)
    if left:
        release(delivery_queue, left)
    return left


def _seconds_until_early_are_due(early: Sequence[datetime]) -> float | None:
    """Seconds until every early delivery that is due again soon can be claimed; None if there is none.

    Args:
        early: when each delivery that came too early can be claimed again.
    """
    now = clock.now()
    waits = [(moment - now).total_seconds() for moment in early]
    return max((max(wait, 0.001) for wait in waits if wait <= LONGEST_EARLY_WAIT), default=None)


def _attempt_unless_paused(name: str, claims: Sequence[Claim], early: list[datetime]) -> Sequence[Claim]:
    """Handle deliveries of one consumer, or hold those of a paused one; returns those that are left.

    Args:
        early: as in `_attempt`.
    """
    if held := [claim for claim in claims if claim.failures == PAUSED]:
        hold(name, held)
    if waiting := [claim for claim in claims if claim.failures == WAITS]:
        wait_as_asked(name, waiting)
    tried = [claim for claim in claims if claim.failures not in (PAUSED, WAITS)]
    left = _attempt(name, tried, early) if tried else []
    if tried and tried[0].failures:
        note_attempt(name, tried)
    return left


def _attempt(name: str, claims: Sequence[Claim], early: list[datetime]) -> Sequence[Claim]:
    """Handle deliveries of one consumer together or, if that fails, each alone; returns those that are left.

    Args:
        early: the moments at which deliveries that came too early can be claimed again are appended to this list.
    """
    left = [*claims]
    try:
        return _handle(name, left, early)
    except Exception as error:  # any error of a handler is a failure of this delivery and is stored in its row
        if len(claims) == 1:
            note_failure(claims[0], error)
            return []
        log.warning("%s: %s deliveries are tried one by one, because their batch failed: %r", name, len(left), error)
    began = clock.stopwatch()
    locked: list[Claim] = []
    for n, each in enumerate(left):
        if clock.stopwatch() - began > LONGEST_HANDLING:
            return [*locked, *left[n:]]
        locked += _attempt(name, [each], early)
    return locked


def _handle(name: str, left: list[Claim], early: list[datetime]) -> Sequence[Claim]:
    """Handle deliveries in as many transactions as needed; returns those left for lack of time, and those that another
    transaction has locked.

    Args:
        left: the claims to handle; committed ones are removed from it.
    """
    if name not in consumers:
        with transaction.atomic():
            taken = take(left, locked=True)
            park([(delivery, f"no consumer is named {name!r}") for delivery in taken], left)
        return still_valid(left, taken)
    consumer = consumers.get(name)
    if left[0].attempt > consumer.retry_schedule.attempts:
        raise WorkerDied(WorkerDied.__doc__)
    if consumer.external:
        return handle_external(consumer, left)
    began = clock.stopwatch()
    untried = len(left)  # those behind them are locked
    while untried and clock.stopwatch() - began <= LONGEST_CLAIM:
        together = left[: min(untried, batch_sizes[name])]
        again, locked = _handle_together(consumer, together, early)
        left[: len(together)] = again
        left += locked
        done = len(together) - len(again)
        untried -= done
        batch_sizes[name] = 2 * done if again else max(batch_sizes[name], min(2 * done, BATCH))
    return left


def _handle_together(
    consumer: Consumer, claims: Sequence[Claim], early: list[datetime]
) -> tuple[list[Claim], list[Claim]]:
    """Handle as many deliveries as fit into one short transaction.

    Returns:
        The claims left for the next transaction, and those whose rows another transaction has locked.
    """
    started = clock.stopwatch()
    with batch_span(consumer.name, len(claims)) as batch, unit_of_work() as work:
        taken = take(claims, locked=True)
        deliveries = readable(claims, taken)
        if consumer.prepare and deliveries:
            consumer.prepare([event for _, event in deliveries])
        began = clock.stopwatch()
        handled: list[Readable] = []
        too_soon: list[tuple[Delivery, NotYet]] = []
        for delivery, event in deliveries:
            with delivering(delivery.message, consumer.name, batch):
                too_early = work.came_too_early(partial(consumer.handle, event))
            if too_early is None:
                handled.append((delivery, event))
            elif is_early(delivery, too_early):
                too_soon.append((delivery, too_early))
            else:
                raise too_early
            if clock.stopwatch() - began > LONGEST_HANDLING:
                break
        mark_done([delivery for delivery, _ in handled])
        due_again = reschedule(claims, too_soon)
    note_done(consumer.name, handled, clock.stopwatch() - started)
    early += due_again
    left = {delivery.pk for delivery, _ in deliveries[len(handled) + len(too_soon) :]}
    return [claim for claim in claims if claim.id in left], still_valid(claims, taken)


def _by_consumer(claims: Sequence[Claim]) -> dict[str, list[Claim]]:
    by_consumer: dict[str, list[Claim]] = defaultdict(list)
    for each in claims:
        by_consumer[each.consumer].append(each)
    return by_consumer
