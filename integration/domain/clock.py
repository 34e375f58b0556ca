"""The only clock of the project: whatever asks for the time asks here, so that a test can move it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta()


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC) + _offset


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Let this process live `by` later (or earlier) than it is; moves add up when nested."""
    global _offset
    before = _offset
    _offset += by
    try:
        yield
    finally:
        _offset = before
