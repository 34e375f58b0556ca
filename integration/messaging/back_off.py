"""The wait between a failed attempt and the next one."""

import logging
import random
from datetime import timedelta

from django.conf import settings

from integration.domain import clock
from integration.messaging.claim import CLOCKS_DIFFER, LEASE
from integration.messaging.models import Delivery, Status
from integration.messaging.routines import Routine, register

log = logging.getLogger(__name__)

LONGEST_BACK_OFF = timedelta(minutes=10)
"""The longest time from a failed attempt to the next one."""

PARKED_FOR = timedelta(minutes=1)
"""How long a parked delivery waits before it is tried again; by then a worker with other code may claim it."""


def back_off(attempt: int) -> timedelta:
    """The wait after a failed attempt: it doubles from one second to ten minutes, and its second half is random."""
    longest = _longest(attempt).total_seconds()
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311


def _longest(attempt: int) -> timedelta:
    return min(timedelta(seconds=2 ** (attempt - 1)), LONGEST_BACK_OFF)


def bring_forward() -> None:
    """Make deliveries due now whose `due_at` is further ahead than Waybill ever sets it.

    They were written before the clock was set back, or by a machine whose clock was ahead. Without this, their orders
    would wait until the time comes round again.
    """
    now = clock.now() + CLOCKS_DIFFER
    # The index begins with these columns. So it finds what is far ahead without a scan of all that is parked.
    pending = Delivery.objects.filter(status=Status.PENDING, context__in=settings.CONTEXTS, external__in=[False, True])
    ahead = [
        pending.filter(in_flight=True, due_at__gt=now + LEASE),
        pending.filter(in_flight=False, due_at__gt=now + _longest_wait()),
    ]
    if brought := sum(deliveries.update(due_at=clock.now()) for deliveries in ahead):
        log.warning("made %s deliveries due now: a wrong clock had set their due time too far ahead", brought)


def _longest_wait() -> timedelta:
    """The longest time for which a delivery waits that is not in flight: parked, or after the last attempt but one."""
    return max(PARKED_FOR, _longest(settings.DELIVERY_MAX_ATTEMPTS - 1))


# `register`, not `every`: `integration.policies`, which defines `every`, imports this package.
register(Routine("integration.bring-deliveries-forward", timedelta(seconds=5), bring_forward))
