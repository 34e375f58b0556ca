"""Exactly once in effect: a delivery is claimed, handled, and marked done in the transaction of what it caused.

Claiming counts the attempt in a transaction of its own, so that even a worker that is killed has been counted. Several
waiting deliveries of one consumer are handled in one transaction; when one of them fails, all of them are taken back
and each is tried alone, so that none is held up by its neighbour. One that only came too early is set aside.

What this code does not know, a contract, a version or a consumer of tomorrow or of yesterday, has not failed: it is
*parked*, without being charged an attempt, until code that knows it comes by.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.conf import settings

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.errors import NotYet
from integration.domain.metadata import caused_by
from integration.messaging.claim import BATCH, Claim, claim
from integration.messaging.consumers import Consumer, consumers
from integration.messaging.external import adapt_batch_size, claim_sizes, handle_external
from integration.messaging.models import Delivery
from integration.messaging.outcomes import (
    claimed,
    is_early,
    mark_done,
    note_failure,
    park,
    readable,
    release,
    reschedule,
    take,
)
from integration.messaging.wakeups import DeliveryQueue, keeping_one, wake, wake_for_kept

LONGEST_HANDLING = 0.1
"""Seconds after which a batch is committed as far as it has come: orders of a thousand lines take their time, and
nobody should wait for fifty of them to write a row, or to go on with the first."""

SOON = 0.1
"""For so many seconds a worker waits for what came too early to be due again: what it waits for is about to be
committed, and whoever is not rung for is found a second later."""

batch_sizes: dict[str, int] = defaultdict(lambda: BATCH)
"""How many deliveries of a consumer this process handles together: all that are begun with are read, and what they are
about is locked, so of large orders it begins with no more than it will do in time."""

LONGEST_WAKE = 0.5
"""Seconds after which a woken worker rings for itself and makes room for other lanes, whose work may be older."""


class WorkerDied(RuntimeError):
    """Every attempt at this delivery ended with its worker."""


def deliver_onward(delivery_queue: DeliveryQueue) -> None:
    """Handle what is due in a lane, and go on with a lane that this called for, and so on, for a short time."""
    began = clock.stopwatch()
    with keeping_one() as kept:
        kept.add(delivery_queue)
        while kept and clock.stopwatch() - began < LONGEST_WAKE:
            deliver_due(kept.pop())


def deliver_due(delivery_queue: DeliveryQueue) -> int:
    """Handle what is due in a lane until nothing is.

    Returns:
        How many attempts were made.
    """
    began = clock.stopwatch()
    attempts = 0
    early: list[datetime] = []
    while claims := claim(delivery_queue, claim_sizes[delivery_queue]):
        if not attempts and len(claims) == BATCH:
            wake([delivery_queue])  # there may be work for two
        claimed_at = clock.stopwatch()
        left: list[Claim] = []
        for consumer, of_consumer in _by_consumer(claims).items():
            left += of_consumer if left else _attempt(consumer, of_consumer, early)
        attempts += len(claims) - len(left)
        if delivery_queue.external:
            adapt_batch_size(delivery_queue, len(claims) - len(left), clock.stopwatch() - claimed_at)
        if left:
            release(delivery_queue, left)
        more = bool(left) or claims[-1].more
        wait = 0.0 if more else _until_what_is_due_soon(early)
        if wait is None:
            break  # what was published since is rung for
        if clock.stopwatch() - began > LONGEST_WAKE:
            wake([delivery_queue])
            break
        wake_for_kept()
        if wait:
            clock.pause(wait)
            early.clear()
    return attempts


def _until_what_is_due_soon(early: Sequence[datetime]) -> float | None:
    """The seconds to wait for all that came too early and can be claimed again soon; None if there is no such thing."""
    now = clock.now()
    waits = [(moment - now).total_seconds() for moment in early]
    return max((max(wait, 0.001) for wait in waits if wait <= SOON), default=None)


def _attempt(name: str, claims: Sequence[Claim], early: list[datetime]) -> Sequence[Claim]:
    """Handle deliveries of one consumer, together or else each alone; returns those there was no time for.

    Args:
        early: is added from when on those can be claimed again that came too early.
    """
    left = [*claims]
    try:
        return _handle(name, left, early)
    except Exception as error:  # whatever a handler raises is that delivery's failure, told in its row
        if len(claims) == 1:
            note_failure(claims[0], error)
            return []
    began = clock.stopwatch()
    for n, each in enumerate(left):
        if clock.stopwatch() - began > LONGEST_HANDLING:
            return left[n:]
        _attempt(name, [each], early)
    return []


def _handle(name: str, left: list[Claim], early: list[datetime]) -> Sequence[Claim]:
    """Handle deliveries in as many transactions as it takes; returns those there was no time for.

    Args:
        left: what was committed is taken out.
    """
    if left[0].attempt > settings.DELIVERY_MAX_ATTEMPTS:
        raise WorkerDied(WorkerDied.__doc__)
    if name not in consumers:
        park([(delivery, f"no consumer is named {name!r}") for delivery in claimed(left)], left)
        return []
    consumer = consumers.get(name)
    if consumer.external:
        return handle_external(consumer, left)
    while left:
        together = left[: batch_sizes[name]]
        again = _handle_together(consumer, together, early)
        left[: len(together)] = again
        done = len(together) - len(again)
        batch_sizes[name] = 2 * done if again else max(batch_sizes[name], min(2 * done, BATCH))
    return []


def _handle_together(consumer: Consumer, claims: Sequence[Claim], early: list[datetime]) -> list[Claim]:
    """Handle as many as fit into one short transaction; returns those that are left for the next."""
    with unit_of_work() as work:
        deliveries = readable(claims, take(claims, locked=True))
        if consumer.prepare and deliveries:
            consumer.prepare([event for _, event in deliveries])
        began = clock.stopwatch()
        handled: list[Delivery] = []
        too_soon: list[tuple[Delivery, NotYet]] = []
        for delivery, event in deliveries:
            with caused_by(delivery.message.cause):
                too_early = work.came_too_early(partial(consumer.handle, event))
            if too_early is None:
                handled.append(delivery)
            elif is_early(delivery, too_early):
                too_soon.append((delivery, too_early))
            else:
                raise too_early
            if clock.stopwatch() - began > LONGEST_HANDLING:
                break
        mark_done(handled)
        due_again = reschedule(claims, too_soon)
    early += due_again
    left = {delivery.pk for delivery, _ in deliveries[len(handled) + len(too_soon) :]}
    return [claim for claim in claims if claim.id in left]


def _by_consumer(claims: Sequence[Claim]) -> dict[str, list[Claim]]:
    by_consumer: dict[str, list[Claim]] = defaultdict(list)
    for each in claims:
        by_consumer[each.consumer].append(each)
    return by_consumer
