"""Deliveries that a wrong clock has set too far ahead are made due."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from integration.domain import clock
from integration.messaging.claim import CLOCKS_DIFFER, LEASE
from integration.messaging.consumers import consumers
from integration.messaging.flow import is_asked_to_wait
from integration.messaging.holding import held
from integration.messaging.models import Delivery, Status
from integration.messaging.retries import default_retries
from integration.messaging.routines import Routine, register

log = logging.getLogger(__name__)


def bring_forward() -> None:
    """Make deliveries due now whose `due_at` is further ahead than Waybill ever sets it.

    They were written before the clock was set back, or by a machine whose clock was ahead. Without this, their orders
    would wait until the time comes round again.
    """
    # The index begins with these columns. So it finds what is far ahead without a scan of all that is parked.
    pending = Delivery.objects.filter(status=Status.PENDING, context__in=settings.CONTEXTS, external__in=[False, True])
    ahead = [pending.filter(too_far, ~held(), ~is_asked_to_wait()) for too_far in _too_far_ahead()]
    if brought := sum(deliveries.update(due_at=clock.now()) for deliveries in ahead):
        log.warning("made %s deliveries due now: a wrong clock had set their due time too far ahead", brought)


def _too_far_ahead() -> Iterator[Q]:
    """Conditions under which a delivery is due later than its lease, or its consumer's retry schedule, allows."""
    now = clock.now() + CLOCKS_DIFFER
    yield Q(in_flight=True, due_at__gt=now + LEASE)
    yield Q(in_flight=False, attempts=0, due_at__gt=now + LEASE)
    names = defaultdict(list)
    for name, consumer in consumers.items():
        schedule = consumer.retry_schedule  # only an external system asks for a wait of its own
        names[schedule.longest_wait if consumer.external else schedule.longest_without_request].append(name)
    of_unknown = ~Q(consumer__in=[name for name, _ in consumers.items()])
    yield of_unknown & Q(in_flight=False, due_at__gt=now + default_retries(external=True).longest_wait)
    for longest, of_consumers in names.items():
        yield Q(in_flight=False, consumer__in=of_consumers, due_at__gt=now + longest)


# `register`, not `every`: `integration.policies`, which defines `every`, imports this package.
register(Routine("integration.bring-deliveries-forward", timedelta(seconds=5), bring_forward))
