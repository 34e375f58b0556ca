"""How much is on its way, and for how long: what nobody has settled, by consumer, in one query.

It looks at what is pending or dead alone: on PostgreSQL it costs the same however much has been done.
"""

from typing import NamedTuple

from django.db.models import Count, Min, Q

from integration.domain import clock
from integration.messaging.consumers import consumers
from integration.messaging.models import PARKED, Delivery, Status


class Backlog(NamedTuple):
    """What a consumer has before it.

    Args:
        consumer: its wire name.
        pending: deliveries that are due and nobody has claimed: the depth.
        waiting: those that are due later: being handled now, or waiting for their next attempt.
        parked: those among the waiting and the pending that this code does not know, and leaves to code that does.
        dead: those that were given up, and wait for an operator.
        lag: for how many seconds the oldest pending one has been due; 0 when there is none.
    """

    consumer: str
    pending: int = 0
    waiting: int = 0
    parked: int = 0
    dead: int = 0
    lag: float = 0.0


def backlog() -> list[Backlog]:
    """The backlog of every consumer there is and of every one that has any, by name; one query."""
    now = clock.now()
    pending, dead = Q(status=Status.PENDING), Q(status=Status.DEAD)
    due = pending & Q(due_at__lte=now)
    # An `or`, not an `in`: each side of it is served by the partial index made for it, if the database can.
    rows = (
        Delivery.objects.filter(pending | dead)
        .order_by()
        .values_list("consumer")
        .annotate(
            due_now=Count("pk", filter=due),
            due_later=Count("pk", filter=pending & Q(due_at__gt=now)),
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
