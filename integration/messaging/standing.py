"""The standing of every consumer: its schedule, its backlog, and whether it is paused."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Min

from integration.domain import clock
from integration.messaging.backlog import Backlog, backlog
from integration.messaging.consumer_states import NoSuchConsumer, states
from integration.messaging.consumers import Consumer, consumers
from integration.messaging.models import HELD, ConsumerState, Delivery, Message, Status


class Standing(NamedTuple):
    """The standing of one consumer.

    Args:
        name: its wire name.
        consumer: the consumer; None if this code does not know it.
        state: whether it is paused.
        backlog: its unsettled deliveries.
        held: how many of those that wait are held, because the consumer is or was paused.
        oldest: seconds since its oldest due or held delivery could have been handled; 0 without one.
    """

    name: str
    consumer: Consumer | None
    state: ConsumerState
    backlog: Backlog
    held: int
    oldest: float


def standings() -> list[Standing]:
    """The standing of every registered consumer and of every other one that has deliveries or a state, by name.

    Two queries, and three more if something is held.
    """
    all_states = states()
    backlogs = {row.consumer: row for row in backlog()}
    found = []
    for name in sorted({*all_states, *backlogs}):
        state = all_states.get(name, ConsumerState(consumer=name))
        of_consumer = backlogs.get(name, Backlog(name))
        held, since = _held_of(state)
        oldest = max(of_consumer.lag, (clock.now() - since).total_seconds() if since else 0.0)
        consumer = consumers.get(name) if name in consumers else None
        found.append(Standing(name, consumer, state, of_consumer, held, oldest))
    return found


def standing(name: str) -> Standing:
    """The standing of one consumer; raises `NoSuchConsumer`."""
    for each in standings():
        if each.name == name:
            return each
    raise NoSuchConsumer


def _held_of(state: ConsumerState) -> tuple[int, datetime | None]:
    """How many deliveries are held for a consumer, and since when the oldest of them waits."""
    if not (state.is_paused or state.releasing):
        return 0, None
    held = Delivery.objects.filter(status=Status.PENDING, due_at=HELD, consumer=state.consumer).order_by()
    first = held.aggregate(first=Min("pk"))["first"]
    message = Message.objects.filter(deliveries=first).values_list("occurred_at", flat=True).first()
    return held.count(), message
