"""The only clock of the project. All code reads the time from here, so that a test can move it or stop it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta()
"""How far the clock is ahead of real time, or of the stopped time."""
_standing_at: datetime | None = None
"""The moment at which the clock is stopped; None while it runs."""


def now() -> datetime:
    """Return the current time as an aware datetime in UTC."""
    return (_standing_at or datetime.now(UTC)) + _offset


def stopwatch() -> float:
    """Return seconds since an arbitrary moment, to measure durations.

    While the clock is stopped, every duration is zero.
    """
    return time.monotonic() if _standing_at is None else now().timestamp()


def pause(seconds: float) -> None:
    """Sleep for `seconds`. While the clock is stopped, return at once."""
    if _standing_at is None:
        time.sleep(max(seconds, 0))


def advance(by: timedelta) -> None:
    """Move this process's clock forward by `by`, until further notice."""
    global _offset
    _offset += by


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Move this process's clock by `by`, which may be negative, inside the block. Nested moves add up."""
    global _offset
    before = _offset
    advance(by)
    try:
        yield
    finally:
        _offset = before


@contextmanager
def standing_at(moment: datetime) -> Iterator[None]:
    """Stop the clock at `moment` inside the block. Only `advance` and `moved` change it.

    On exit the clock goes on as before the block.
    """
    global _offset, _standing_at
    before = _offset, _standing_at
    _offset, _standing_at = timedelta(), moment
    try:
        yield
    finally:
        _offset, _standing_at = before
