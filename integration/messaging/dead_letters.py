"""Failed deliveries wait for an operator, who replays them or skips them with a reason. A settled delivery never
changes.

A replayed delivery is due at once, with its attempts reset to zero, and a claim on it ends. Skipping is final and is
allowed only for deliveries that have failed or are parked.

A worker may be handling the delivery at this very moment. Either it finishes first, or it loses its claim and rolls
back its transaction. So the effects happen at most once. A call that such a worker has already made to an external
system cannot be undone.
"""

import logging
from array import array
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from integration.domain import clock
from integration.domain.errors import NotFound, Refused, Unacceptable
from integration.messaging.models import PARKED, Delivery, Status
from integration.messaging.parking import AT_ONCE
from integration.messaging.wakeups import DeliveryQueue, wake
from integration.storage.row_locks import lock_in_order

log = logging.getLogger(__name__)

# A second attempt, or a first attempt with an error. A first attempt without an error may still be in flight.
_HAS_FAILED = Q(attempts__gt=1) | (Q(attempts=1) & ~Q(error=""))

SKIPPABLE = Q(status=Status.DEAD) | (Q(status=Status.PENDING) & _HAS_FAILED) | PARKED
"""Dead, pending after at least one failed attempt, or parked."""


class NoSuchDelivery(NotFound):
    """There is no such delivery; one settled long ago is in the archive."""


class AlreadySettled(Refused):
    """The delivery is settled, and stays so."""


class NotFailed(Refused):
    """The delivery has not failed: only one that is dead, parked, or has failed at least once can be skipped."""


class NoReason(Unacceptable):
    """Give the reason for skipping: nothing else will explain it later."""


def delivery(id: int) -> Delivery:
    """The delivery with its message loaded; raises `NoSuchDelivery`."""
    try:
        return Delivery.objects.select_related("message").get(pk=id)
    except Delivery.DoesNotExist:
        raise NoSuchDelivery from None


def replay(deliveries: QuerySet[Delivery]) -> int:
    """Make the dead and the pending ones among the deliveries due now, with all their attempts available again.

    Each transaction replays `AT_ONCE` deliveries, so that a million of them lock neither many rows nor, on SQLite, the
    database for long.

    Returns:
        The number of deliveries replayed.
    """
    chosen = _undone(deliveries.values("pk")).order_by("pk").values_list("pk", flat=True)
    keys = array("q", chosen)  # a million of them take 8 MB
    return sum(replay_some(keys[begin : begin + AT_ONCE]) for begin in range(0, len(keys), AT_ONCE))


def _undone(keys: QuerySet[Delivery, Any] | Sequence[int]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk__in=keys, status__in=[Status.DEAD, Status.PENDING]).order_by()


def replay_some(keys: Sequence[int]) -> int:
    """Replay deliveries in one transaction, without those that are settled; returns their number."""
    with transaction.atomic():
        undone = lock_in_order(_undone(keys), "context", "external")
        delivery_queues = {DeliveryQueue(*delivery_queue) for _, *delivery_queue in undone}
        replayed = Delivery.objects.filter(pk__in=[key for key, *_ in undone]).update(
            status=Status.PENDING,
            attempts=0,
            fencing_token=F("fencing_token") + 1,
            in_flight=False,
            due_at=clock.now(),
            parked_as=None,
            uncharged_since=None,
        )
        transaction.on_commit(lambda: wake(delivery_queues), robust=True)
    return replayed


def replay_one(id: int) -> Delivery:
    """Make the delivery due now, with all its attempts available again; returns the updated delivery.

    Raises:
        AlreadySettled: it is done or was skipped.
        NoSuchDelivery: there is none with this id.
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
        actor: the user who decided this, such as `user:12`.

    Returns:
        The number of deliveries skipped.

    Raises:
        NoReason: the reason is blank.
    """
    reason = reason.strip()
    if not reason:
        raise NoReason(pointer="/reason")
    # `SKIPPABLE` is a condition on the updated row, so PostgreSQL checks it again once a worker releases its lock on
    # the row. A subquery would not be evaluated again.
    failed = Delivery.objects.filter(SKIPPABLE, pk__in=deliveries.order_by().values("pk")).order_by()
    skipped = failed.update(
        status=Status.SKIPPED, in_flight=False, skip_reason=reason, skipped_by=actor, skipped_at=clock.now()
    )
    log.warning("%s skipped %s deliveries: %s", actor, skipped, reason)
    return skipped


def skip_one(id: int, reason: str, actor: str) -> Delivery:
    """Skip the delivery; returns the updated delivery.

    Raises:
        NoReason: the reason is blank.
        AlreadySettled: it is done or was skipped.
        NotFailed: it waits for its first attempt, or that attempt is in progress.
        NoSuchDelivery: there is none with this id.
    """
    skipped = skip(Delivery.objects.filter(pk=id), reason, actor)
    found = delivery(id)
    if not skipped:
        raise _settled(found) if found.status in (Status.DONE, Status.SKIPPED) else NotFailed
    return found


def _settled(found: Delivery) -> AlreadySettled:
    return AlreadySettled(f"Delivery {found.pk} is {found.status}, and stays so.")
