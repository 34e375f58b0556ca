"""What is degraded: the system serves, and something in it needs a person."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from django.db import DatabaseError

from integration.domain import clock
from integration.invariants import TookTooLong, no_statement_longer_than
from integration.messaging.heartbeat import SWEEP, last_heartbeat
from integration.messaging.models import ConsumerState
from integration.read_models.late import late_read_models

SILENT_AFTER = timedelta(seconds=30)
"""How long no sweep may have run. One runs every second."""

LONGEST_LOOK = 1.0
"""Seconds that one of the queries may take: probes come often, and must not add to the load of a busy database."""

VALID_FOR = 5.0
"""Seconds for which the last result is returned again."""

_last: tuple[float, list[str]] | None = None


def degraded() -> list[str]:
    """Sentences about what is degraded, at most `VALID_FOR` seconds old."""
    global _last
    if _last is None or time.monotonic() - _last[0] > VALID_FOR:
        _last = time.monotonic(), [*_look(late_read_models), *_look(_paused_consumers), *_look(_silent_beat)]
    return _last[1]


def _look(find: Callable[[], list[str]]) -> Iterator[str]:
    try:
        with no_statement_longer_than(LONGEST_LOOK):
            yield from find()
    except TookTooLong:
        yield f"{find.__name__.strip('_').replace('_', ' ')}: unknown, the database is slow"
    except DatabaseError as error:
        yield f"{find.__name__.strip('_').replace('_', ' ')}: unknown, {type(error).__name__}"


def _paused_consumers() -> list[str]:
    paused = ConsumerState.objects.filter(paused_at__isnull=False)
    return [f"consumer {state} is paused since {state.paused_at:%Y-%m-%d %H:%M:%S} UTC" for state in paused]


def _silent_beat() -> list[str]:
    last = last_heartbeat(SWEEP)
    if last and clock.now() - last <= SILENT_AFTER:
        return []
    since = f"for {(clock.now() - last).total_seconds():,.0f} s" if last else "yet"
    return [f"no sweep has run {since}: beat is silent, or no worker consumes the queue of integration"]
