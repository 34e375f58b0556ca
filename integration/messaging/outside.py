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

LONGEST_TALK = 0.25
"""Seconds after which nobody else outside is called before what was answered is written down: with a slow provider a
batch is one call, and whoever waits for its answer waits for no other."""

paces: dict[DeliveryQueue, int] = defaultdict(lambda: BATCH)
"""How many deliveries of a lane this process claims together."""


def keep_pace(delivery_queue: DeliveryQueue, attempts: int, seconds: float) -> None:
    """Claim no more together than the outside world lately answered in time: others could have done the rest."""
    paces[delivery_queue] = max(attempts, 1) if seconds > LONGEST_TALK else min(2 * paces[delivery_queue], BATCH)


class Answer(NamedTuple):
    """What came of talking to the outside world about a delivery."""

    delivery: Delivery
    event: IntegrationEvent
    write_down: Callable[[], object] | None


def handle_outside(consumer: Consumer, claims: Sequence[Claim]) -> list[Claim]:
    """Talk to the outside world for a short time, and write down what it said; returns those there was no time for."""
    deliveries = readable(claims, take(claims))
    if not deliveries:
        return []
    answers, left = _talk(consumer, deliveries)
    if answers:
        _write_down(consumer, answers)
    return [claim_of(delivery) for delivery, _ in left]


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
                note_failure(claim_of(delivery), error)
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
        with unit_of_work():
            if consumer.prepare and about:
                consumer.prepare(about)
            for delivery, _, write_down in answers:
                if write_down:
                    with caused_by(delivery.message.cause):
                        write_down()
            mark_done([answer.delivery for answer in answers])
    except Exception as error:
        if len(answers) == 1:
            note_failure(claim_of(answers[0].delivery), error)
        else:
            for answer in answers:
                _write_down(consumer, [answer])
