"""How many deliveries are unsettled, and since when, by consumer; one query.

The query reads only pending and dead rows. On PostgreSQL, partial indexes serve it, so its cost does not grow with the
number of settled deliveries.
"""

from typing import NamedTuple

from django.db.models import Count, Min, Q

from integration.domain import clock
from integration.messaging.consumers import consumers
from integration.messaging.models import PARKED, Delivery, Status


class Backlog(NamedTuple):
    """The unsettled deliveries of one consumer.

    Args:
        consumer: its wire name.
        pending: deliveries that are due and not claimed: the queue depth.
        waiting: other deliveries: in flight now, waiting for their next attempt, in the background, or parked.
        parked: those among the waiting and the pending ones that this code does not know and leaves to code that does.
        dead: dead letters, which wait for an operator.
        lag: seconds since the oldest pending delivery became due; 0 without one.
    """

    consumer: str
    pending: int = 0
    waiting: int = 0
    parked: int = 0
    dead: int = 0
    lag: float = 0.0


def backlog() -> list[Backlog]:
    """The backlog of every registered consumer, and of every other one that has deliveries, by name; one query."""
    now = clock.now()
    pending, dead = Q(status=Status.PENDING), Q(status=Status.DEAD)
    due = pending & Q(due_at__lte=now)
    # `OR`, not `IN`: each side of `OR` can use its own partial index, where the database has them.
    rows = (
        Delivery.objects.filter(pending | dead)
        .order_by()
        .values_list("consumer")
        .annotate(
            due_now=Count("pk", filter=due),
            due_later=Count("pk", filter=pending & (Q(due_at__gt=now) | Q(due_at=None))),
            parked=Count("pk", filter=PARKED),
            given_up=Count("pk", filter=dead),
            oldest=Min("due_at", filter=due),
        )
    )
    found = {name: Backlog(name) for name, _ in consumers.items()}
    for consumer, due_now, due_later, parked, given_up, oldest in rows:
        lag = (now - oldest).total_seconds() if oldest else 0.0
        found[consumer] = Backlog(consumer, due_now, due_later, parked, given_up, lag)
    return sorted(found.values())
