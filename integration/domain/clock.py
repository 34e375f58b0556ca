"""The only clock of the project: whatever asks for the time asks here, so that a test can move it, or have it stand."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta()
_standing_at: datetime | None = None


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return (_standing_at or datetime.now(UTC)) + _offset


def stopwatch() -> float:
    """Seconds since some moment, for measuring how long something takes; while time stands still nothing takes any."""
    return time.monotonic() if _standing_at is None else now().timestamp()


def pause(seconds: float) -> None:
    """Let a little time pass; while it stands still nobody waits for it."""
    if _standing_at is None:
        time.sleep(max(seconds, 0))


def advance(by: timedelta) -> None:
    """Let this process live `by` later than it does, from now on."""
    global _offset
    _offset += by


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Let this process live `by` later (or earlier) than it is; moves add up when nested."""
    global _offset
    before = _offset
    advance(by)
    try:
        yield
    finally:
        _offset = before


@contextmanager
def standing_at(moment: datetime) -> Iterator[None]:
    """Let time stand still at a moment: only `advance` and `moved` move it. Afterwards it is what it was before."""
    global _offset, _standing_at
    before = _offset, _standing_at
    _offset, _standing_at = timedelta(), moment
    try:
        yield
    finally:
        _offset, _standing_at = before
