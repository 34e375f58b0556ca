"""A command carries its stories on until none of their deliveries is pending, or fails and names those that are.

Deliveries are claimed, so this process and workers can handle them at the same time, and no worker needs to run. The
command waits for deliveries that another worker has claimed or that are due for a retry later.
"""

import time
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Count

from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Status
from integration.storage.outages import repeated_after_outages

TIMEOUT = timedelta(minutes=2)
"""Longer than the longest back-off before a last attempt, so that a short outage does not end a command."""

PAUSE = 0.05
"""Seconds between two looks for deliveries, while none is due in this process."""

MOST_NAMED = 10


class NotCarriedThrough(CommandError):
    """Deliveries of a command's stories became dead letters, or none was done for too long."""


@repeated_after_outages
def carry_on(stories: Collection[UUID], timeout: timedelta = TIMEOUT) -> None:
    """Handle what is due until no delivery of these stories is pending.

    Args:
        stories: their correlation ids.
        timeout: how long to go on while no delivery gets done.

    Raises:
        NotCarriedThrough: when deliveries are dead letters or still pending; names their consumers and errors.
    """
    done, give_up_at = -1, 0.0
    while (so_far := _count(stories)).get(Status.PENDING):
        if so_far.get(Status.DONE, 0) > done:
            done, give_up_at = so_far.get(Status.DONE, 0), time.monotonic() + timeout.total_seconds()
        elif time.monotonic() > give_up_at:
            seconds = timeout.total_seconds()
            raise _failure(f"Still pending after {seconds:g} s without progress", stories, Status.PENDING)
        if not sum(deliver_due(delivery_queue) for delivery_queue in due_delivery_queues()):
            time.sleep(PAUSE)
    if so_far.get(Status.DEAD):
        raise _failure("Dead letters, for an operator to look at", stories, Status.DEAD)


def _count(stories: Collection[UUID]) -> dict[str, int]:
    of_ours = Delivery.objects.filter(message__correlation_id__in=stories).order_by()
    return dict(of_ours.values_list("status").annotate(Count("pk")))


def _failure(what: str, stories: Collection[UUID], status: Status) -> NotCarriedThrough:
    left = Delivery.objects.filter(message__correlation_id__in=stories, status=status).order_by()
    kinds = left.values_list("consumer", "attempts", "error").annotate(deliveries=Count("pk"))
    lines = [
        f"{deliveries:,} × {consumer} ({attempts} attempt{'s' * (attempts != 1)}): {error or 'no error so far'}"
        for consumer, attempts, error, deliveries in kinds.order_by("-deliveries", "consumer")
    ]
    if len(lines) > MOST_NAMED:
        lines[MOST_NAMED:] = [f"and {len(lines) - MOST_NAMED} more kinds"]
    return NotCarriedThrough("\n  ".join([f"{what}:", *lines]))
