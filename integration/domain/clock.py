"""The only clock of the project. All code reads the time from here, so that a test can move it or stop it.

On PostgreSQL every process synchronizes with the database's clock, so that all machines agree: the storage calls
`synchronize` now and then. Between two calls the process adds what its monotonic clock has counted. So a machine's own
clock may be wrong, and may be set while the process runs. On SQLite there is one machine, and its clock is the clock.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

SYNCHRONIZED_FOR = 30.0
"""Seconds after which the reference clock is read again, because the monotonic clocks of two machines drift."""
JUMP = 1.0
"""Seconds. If the machine's clock moves by more against the monotonic clock, somebody has set it, or the machine was
suspended, which stops the monotonic clock."""


class _Synchronization(NamedTuple):
    """A reading of the reference clock. An epoch is a clock's time when the monotonic clock was zero."""

    epoch: float
    machine_epoch: float
    read_at: float


_synchronized: _Synchronization | None = None
"""The last reading; None while this machine's clock is the clock."""
_offset = timedelta()
"""How far the clock is ahead of real time, or of the stopped time."""
_standing_at: datetime | None = None
"""The moment at which the clock is stopped; None while it runs."""


def now() -> datetime:
    """Return the current time as an aware datetime in UTC."""
    return (_standing_at or datetime.fromtimestamp(_seconds(), UTC)) + _offset


def _seconds() -> float:
    return time.time() if _synchronized is None else _synchronized.epoch + time.monotonic()


def synchronize(read: Callable[[], float]) -> float:
    """Go by a reference clock from now on.

    The reference clock is assumed to have been read halfway through the call. A slow call does not replace an earlier
    reading that it agrees with.

    Args:
        read: reads the reference clock; returns the seconds since 1970.

    Returns:
        The seconds by which this machine's own clock is ahead of the reference clock.
    """
    global _synchronized
    began = time.monotonic()
    moment = read()
    ended = time.monotonic()
    epoch, uncertain = moment - (began + ended) / 2, (ended - began) / 2
    if _synchronized is not None and abs(_synchronized.epoch - epoch) <= uncertain:
        epoch = _synchronized.epoch
    _synchronized = _Synchronization(epoch, time.time() - ended, ended)
    return _synchronized.machine_epoch - epoch


def must_be_synchronized() -> bool:
    """Whether `synchronize` should be called: for the first time, again, or because this machine's clock has jumped."""
    if _synchronized is None:
        return True
    steady = time.monotonic()
    jump = abs(time.time() - steady - _synchronized.machine_epoch)
    return jump > JUMP or steady - _synchronized.read_at > SYNCHRONIZED_FOR


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
