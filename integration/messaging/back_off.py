"""The wait between a failed attempt and the next one."""

import logging
import random
from datetime import timedelta

from integration.domain import clock
from integration.messaging.models import Delivery, Status
from integration.messaging.routines import Routine, register

log = logging.getLogger(__name__)

LONGEST_BACK_OFF = timedelta(minutes=10)
"""The longest time from a failed attempt to the next one."""


def back_off(attempt: int) -> timedelta:
    """The wait after a failed attempt: it doubles from one second to ten minutes, and its second half is random."""
    longest = min(2 ** (attempt - 1), LONGEST_BACK_OFF.total_seconds())
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311


def bring_forward() -> None:
    """Make deliveries due now whose `due_at` is further ahead than any back-off allows.

    A machine whose clock was ahead wrote them. Without this, their orders would wait until the real time catches up.
    """
    written_ahead = Delivery.objects.filter(status=Status.PENDING, due_at__gt=clock.now() + LONGEST_BACK_OFF)
    brought = written_ahead.update(due_at=clock.now())
    if brought:
        log.warning("made %s deliveries due now: a wrong clock had set their due time too far ahead", brought)


# `register`, not `every`: `integration.policies`, which defines `every`, imports this package.
register(Routine("integration.bring-deliveries-forward", timedelta(seconds=30), bring_forward))
