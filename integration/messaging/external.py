"""Talking to the outside world: one delivery after the other, outside of any transaction, and for a short time.

What was answered is written down and marked done in one unit of work; what there was no time for is given back.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.contract import IntegrationEvent
from integration.domain import clock
from integration.domain.metadata import caused_by
from integration.messaging.claim import BATCH, Claim
from integration.messaging.consumers import Consumer
from integration.messaging.models import Delivery
from integration.messaging.outcomes import Readable, claim_of, mark_done, note_failure, readable, take
from integration.messaging.wakeups import DeliveryQueue

LONGEST_CALLING = 0.25
"""Seconds after which nobody else outside is called before what was answered is written down: with a slow provider a
batch is one call, and whoever waits for its answer waits for no other."""

claim_sizes: dict[DeliveryQueue, int] = defaultdict(lambda: BATCH)
"""How many deliveries of a lane this process claims together."""


def adapt_batch_size(delivery_queue: DeliveryQueue, attempts: int, seconds: float) -> None:
    """Claim no more together than the outside world lately answered in time: others could have done the rest."""
    claim_sizes[delivery_queue] = (
        max(attempts, 1) if seconds > LONGEST_CALLING else min(2 * claim_sizes[delivery_queue], BATCH)
    )


class CallResult(NamedTuple):
    """What came of talking to the outside world about a delivery."""

    delivery: Delivery
    event: IntegrationEvent
    write_down: Callable[[], object] | None


def handle_external(consumer: Consumer, claims: Sequence[Claim]) -> list[Claim]:
    """Talk to the outside world for a short time, and write down what it said; returns those there was no time for."""
    deliveries = readable(claims, take(claims))
    if not deliveries:
        return []
    results, left = _call_each(consumer, deliveries)
    if results:
        _write_down(consumer, results)
    return [claim_of(delivery) for delivery, _ in left]


def _call_each(consumer: Consumer, deliveries: Sequence[Readable]) -> tuple[list[CallResult], Sequence[Readable]]:
    """Call the outside world about one delivery after the other; returns its answers, and those it was not asked."""
    results: list[CallResult] = []
    with _read(consumer, [event for _, event in deliveries]) as given:
        began = clock.stopwatch()
        for n, (delivery, event) in enumerate(deliveries):
            if n and clock.stopwatch() - began > LONGEST_CALLING:
                return results, deliveries[n:]
            try:
                with caused_by(delivery.message.cause):
                    results.append(CallResult(delivery, event, consumer.handle(event, *given)))
            except Exception as error:  # and nobody else's: the others were answered, or will be
                note_failure(claim_of(delivery), error)
    return results, []


@contextmanager
def _read(consumer: Consumer, events: Sequence[IntegrationEvent]) -> Iterator[tuple[Any, ...]]:
    """What the consumer's calls are given besides the event: what it read for all of them, entered if it can be."""
    if consumer.read is None:
        yield ()
        return
    read = consumer.read(events)
    with read if isinstance(read, AbstractContextManager) else nullcontext(read) as given:
        yield (given,)


def _write_down(consumer: Consumer, results: Sequence[CallResult]) -> None:
    """Write down what was answered, and that it is done, in one unit of work; if that fails, in one for each of them.

    Nobody is called again for what a neighbour's outcome could not be written down.
    """
    about = [result.event for result in results if result.write_down]
    try:
        with unit_of_work():
            if consumer.prepare and about:
                consumer.prepare(about)
            for delivery, _, write_down in results:
                if write_down:
                    with caused_by(delivery.message.cause):
                        write_down()
            mark_done([result.delivery for result in results])
    except Exception as error:
        if len(results) == 1:
            note_failure(claim_of(results[0].delivery), error)
        else:
            for result in results:
                _write_down(consumer, [result])
