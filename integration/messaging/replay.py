"""Trying again is asking for it: what gave up, or is waiting for its next attempt, is due at once, as if never tried.

What is done stays done; a worker that is busy with a delivery at this very moment keeps it or loses its claim, so that
it takes effect once all the same.
"""

from django.db import transaction
from django.db.models import QuerySet

from integration.domain import clock
from integration.messaging.doorbell import Lane, ring
from integration.messaging.models import Delivery, Status


def replay(deliveries: QuerySet[Delivery]) -> int:
    """Have the dead and the pending ones among the deliveries tried again now, with all their attempts before them.

    Returns:
        How many they are.
    """
    undone = Delivery.objects.filter(pk__in=deliveries.values("pk"), status__in=[Status.DEAD, Status.PENDING])
    with transaction.atomic():
        lanes = [Lane(*lane) for lane in undone.order_by().values_list("context", "outside").distinct()]
        replayed = undone.order_by().update(status=Status.PENDING, attempts=0, due_at=clock.now())
        transaction.on_commit(lambda: ring(lanes), robust=True)
    return replayed
