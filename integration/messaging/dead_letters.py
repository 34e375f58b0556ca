"""What failed waits for a person, who has it tried again or skips it with a reason; what is settled stays so.

Tried again it is due at once, as if never tried. Skipped is for good, and only what has failed or is parked can be. A
worker that is busy with a delivery at this very moment keeps it or loses its claim and takes back what it did, so that
it takes effect once at most; what such a worker told the outside world cannot be taken back.
"""

import logging

from django.db import transaction
from django.db.models import Q, QuerySet

from integration.domain import clock
from integration.domain.errors import NotFound, Refused, Unacceptable
from integration.messaging.models import PARKED, Delivery, Status
from integration.messaging.wakeups import DeliveryQueue, wake

log = logging.getLogger(__name__)

# A second attempt, or an error beside the first: one that is being made for the first time has not failed.
_HAS_FAILED = Q(attempts__gt=1) | (Q(attempts=1) & ~Q(error=""))

SKIPPABLE = Q(status=Status.DEAD) | (Q(status=Status.PENDING) & _HAS_FAILED) | PARKED
"""Dead, pending after at least one failed attempt, or parked."""


class NoSuchDelivery(NotFound):
    """There is no such delivery; what was settled long ago is in the archive."""


class AlreadySettled(Refused):
    """The delivery is settled, and stays so."""


class NotFailed(Refused):
    """The delivery has not failed: only what is dead, parked, or failed at least once, can be skipped."""


class NoReason(Unacceptable):
    """Say why this is skipped: it is all that will be left to explain it."""


def delivery(id: int) -> Delivery:
    """The delivery and its message; raises `NoSuchDelivery`."""
    try:
        return Delivery.objects.select_related("message").get(pk=id)
    except Delivery.DoesNotExist:
        raise NoSuchDelivery from None


def replay(deliveries: QuerySet[Delivery]) -> int:
    """Have the dead and the pending ones among the deliveries tried again now, with all their attempts before them.

    Returns:
        How many they are.
    """
    undone = Delivery.objects.filter(pk__in=deliveries.values("pk"), status__in=[Status.DEAD, Status.PENDING])
    with transaction.atomic():
        delivery_queues = [
            DeliveryQueue(*delivery_queue)
            for delivery_queue in undone.order_by().values_list("context", "external").distinct()
        ]
        replayed = undone.order_by().update(status=Status.PENDING, attempts=0, in_flight=False, due_at=clock.now())
        transaction.on_commit(lambda: wake(delivery_queues), robust=True)
    return replayed


def replay_one(id: int) -> Delivery:
    """Have the delivery tried again now; returns it as it is then.

    Raises:
        AlreadySettled: when it is done or was skipped.
        NoSuchDelivery: when there is none.
    """
    replayed = replay(Delivery.objects.filter(pk=id))
    found = delivery(id)
    if not replayed:
        raise _settled(found)
    return found


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
    skipped = failed.update(
        status=Status.SKIPPED, in_flight=False, skip_reason=reason, skipped_by=actor, skipped_at=clock.now()
    )
    log.warning("%s skipped %s deliveries: %s", actor, skipped, reason)
    return skipped


def skip_one(id: int, reason: str, actor: str) -> Delivery:
    """Skip the delivery; returns it as it is then.

    Raises:
        NoReason: for a reason that says nothing.
        AlreadySettled: when it is done or was skipped.
        NotFailed: when it waits for its first attempt, or that is being made.
        NoSuchDelivery: when there is none.
    """
    skipped = skip(Delivery.objects.filter(pk=id), reason, actor)
    found = delivery(id)
    if not skipped:
        raise _settled(found) if found.status in (Status.DONE, Status.SKIPPED) else NotFailed
    return found


def _settled(found: Delivery) -> AlreadySettled:
    return AlreadySettled(f"Delivery {found.pk} is {found.status}, and stays so.")
