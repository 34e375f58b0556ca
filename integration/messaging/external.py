"""External deliveries: a worker calls the external system about one delivery at a time, without a transaction.

After a short time, one unit of work records all results and marks their deliveries done. The other deliveries are
released. A call that takes longer than the lease keeps its delivery, because the lease is renewed meanwhile.

A call that exceeds its consumer's timeout has an unknown outcome, and its delivery is retried. If it returns after all,
its result is recorded even so: the call was made. Its error changes nothing, because its claim has ended.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, NamedTuple

from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.contract import IntegrationEvent
from integration.domain import clock
from integration.domain.errors import OutcomeUnknown
from integration.domain.metadata import caused_by
from integration.messaging.attempts import note_done
from integration.messaging.claim import BATCH, Claim
from integration.messaging.consumers import Consumer
from integration.messaging.flow import admitted
from integration.messaging.leases import Leases, leases_renewed
from integration.messaging.models import Delivery
from integration.messaging.outcomes import (
    MARK_CALLED,
    claim_of,
    mark_done,
    note_failure,
    record_failure,
    take,
)
from integration.messaging.parking import Readable, readable
from integration.messaging.wakeups import DeliveryQueue
from integration.tracing import batch_span, call_span, delivering

LONGEST_CALLING = 0.25
"""Seconds after which no further call is made before the results so far are recorded. With a slow provider a batch is
one call, so no result waits for the next call."""

claim_sizes: dict[DeliveryQueue, int] = defaultdict(lambda: BATCH)
"""Deliveries of a delivery queue that this process claims together."""


def adapt_batch_size(delivery_queue: DeliveryQueue, attempts: int, was_slow: bool) -> None:
    """Claim only as many deliveries as were lately handled in time; other workers can claim the rest.

    Args:
        delivery_queue: the delivery queue.
        attempts: deliveries handled for the last claim.
        was_slow: whether they took longer than they should.
    """
    claim_sizes[delivery_queue] = max(attempts, 1) if was_slow else min(2 * claim_sizes[delivery_queue], BATCH)


class CallResult(NamedTuple):
    """The result of a call about a delivery: what records it, if anything, and how many seconds it took."""

    delivery: Delivery
    event: IntegrationEvent
    write_down: Callable[[], object] | None
    seconds: float = 0.0


class CallTimedOut(OutcomeUnknown, TimeoutError):
    """The call to the external system did not return in time."""


def handle_external(consumer: Consumer, claims: Sequence[Claim]) -> list[Claim]:
    """Call the external system for a short time and record its results; returns the claims left for lack of time."""
    deliveries = readable(claims, take(claims))
    if not deliveries:
        return []
    if consumer.flow is None:
        return _call_and_write_down(consumer, claims, deliveries, [])
    with admitted(consumer.name, consumer.flow, consumer.timeout, deliveries) as admission:
        return _call_and_write_down(consumer, claims, *admission) if admission.deliveries else []


def _call_and_write_down(
    consumer: Consumer, claims: Sequence[Claim], deliveries: Sequence[Readable], pauses: Sequence[float]
) -> list[Claim]:
    claim_by_id = {each.id: each for each in claims}
    ours = [claim_by_id[delivery.pk] for delivery, _ in deliveries]
    results, left = _call_each(consumer, deliveries, ours, pauses)
    if results:
        _write_down(consumer, results)
    return left


def _call_each(
    consumer: Consumer, deliveries: Sequence[Readable], claims: list[Claim], pauses: Sequence[float]
) -> tuple[list[CallResult], list[Claim]]:
    """Call the external system about one delivery after the other, for a short time.

    Args:
        consumer: the consumer.
        deliveries: its deliveries.
        claims: the claim of each delivery.
        pauses: the seconds to wait before each call; none if the consumer has no rate.

    Returns:
        The results, and the claims left for lack of time. If a call took too long there are none of either: the thread
        of the leases has settled the batch.
    """
    results: list[CallResult] = []

    def settle_without_this_thread(late: Claim | None) -> None:
        if late:
            record_failure(late, CallTimedOut(f"{CallTimedOut.__doc__} Its limit is {consumer.timeout}."))
        if results:
            _write_down(consumer, results)

    delivery_queue = DeliveryQueue(consumer.context, consumer.external)
    with (
        batch_span(consumer.name, len(claims)) as batch,
        leases_renewed(delivery_queue, claims, consumer.timeout, settle_without_this_thread) as leases,
        _read(consumer, [event for _, event in deliveries]) as given,
    ):
        left = _call_in_turn(consumer, deliveries, claims, pauses, leases, given, results, batch)
    return ([], []) if leases.are_given_up else (results, left)


def _call_in_turn(
    consumer: Consumer,
    deliveries: Sequence[Readable],
    claims: list[Claim],
    pauses: Sequence[float],
    leases: Leases,
    given: tuple[Any, ...],
    results: list[CallResult],
    batch: Any,
) -> list[Claim]:
    """Make the calls and add their results to `results`; returns the claims left for lack of time."""
    began = clock.stopwatch()
    for n, (delivery, event) in enumerate(deliveries):
        if pauses and pauses[n]:
            clock.pause(pauses[n])
        is_late = n and clock.stopwatch() - began > LONGEST_CALLING
        if is_late or not leases.begin(n):
            return claims[n:]
        called = clock.stopwatch()
        try:
            with delivering(delivery.message, consumer.name, batch), call_span(consumer.name):
                write_down = consumer.handle(event, *given)
            result = CallResult(delivery, event, write_down, clock.stopwatch() - called)
        except Exception as error:  # the other deliveries are not affected
            note_failure(claims[n], error)
            leases.end(lambda: None)
        else:
            if not leases.end(partial(results.append, result)):
                _write_down(consumer, [result])
    return []


@contextmanager
def _read(consumer: Consumer, events: Sequence[IntegrationEvent]) -> Iterator[tuple[Any, ...]]:
    """Yield the extra argument of the consumer's calls: what it read for all events, entered if it is a context
    manager."""
    if consumer.read is None:
        yield ()
        return
    read = consumer.read(events)
    with read if isinstance(read, AbstractContextManager) else nullcontext(read) as given:
        yield (given,)


def _write_down(consumer: Consumer, results: Sequence[CallResult]) -> None:
    """Record the results and mark the deliveries done in one unit of work; if that fails, in one unit of work for each.

    No external call is repeated because the result of a neighbouring delivery could not be recorded.
    """
    about = [result.event for result in results if result.write_down]
    try:
        with unit_of_work():
            if consumer.prepare and about:
                consumer.prepare(about)
            for delivery, _, write_down, _ in results:
                if write_down:
                    with caused_by(delivery.message.cause):
                        write_down()
            mark_done([result.delivery for result in results], MARK_CALLED)
    except Exception as error:
        if len(results) == 1:
            note_failure(claim_of(results[0].delivery), error)
        else:
            for result in results:
                _write_down(consumer, [result])
    else:
        for result in results:
            note_done(consumer.name, [(result.delivery, result.event)], result.seconds)
