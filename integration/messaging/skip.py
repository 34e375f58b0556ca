"""Skipping is a decision of a person: a delivery that failed is never to be handled, and the reason is kept with it.

Only what has failed can be skipped, and for good. A worker that is busy with it at this very moment loses its claim and
takes back what it did, unless it is done first. What such a worker told the outside world cannot be taken back.
"""

import logging

from django.db.models import Q, QuerySet

from integration.domain import clock
from integration.domain.errors import Unacceptable
from integration.messaging.models import Delivery, Status

log = logging.getLogger(__name__)

# A second attempt, or an error beside the first: one that is being made for the first time has not failed.
_HAS_FAILED = Q(attempts__gt=1) | (Q(attempts=1) & ~Q(error=""))

SKIPPABLE = Q(status=Status.DEAD) | (Q(status=Status.PENDING) & _HAS_FAILED)
"""Dead, or pending after at least one failed attempt."""


class NoReason(Unacceptable):
    """Say why this is skipped: it is all that will be left to explain it."""


def skip(deliveries: QuerySet[Delivery], reason: str, actor: str) -> int:
    """Skip those among the deliveries that can be skipped; one statement.

    Args:
        reason: why they need not be handled.
        actor: who decided so, such as `user:12`.

    Returns:
        How many they are.

    Raises:
        NoReason: for one that says nothing.
    """
    reason = reason.strip()
    if not reason:
        raise NoReason(pointer="/reason")
    # What is asked of the row itself is asked again once a worker that held it lets go; the subquery is not.
    failed = Delivery.objects.filter(SKIPPABLE, pk__in=deliveries.order_by().values("pk")).order_by()
    skipped = failed.update(status=Status.SKIPPED, skip_reason=reason, skipped_by=actor, skipped_at=clock.now())
    log.warning("%s skipped %s deliveries: %s", actor, skipped, reason)
    return skipped
