"""How long a statement may take, and wait for locks, in what runs now: a request, a task, or a command without limits.

PostgreSQL keeps to the limits; see `integration.storage.postgresql.connection`. SQLite has its own lock timeout.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Limits(NamedTuple):
    """Limits in seconds; None does not limit.

    Args:
        lock: how long a statement in a transaction waits for a lock.
        statement: how long a statement may take.
        idle: how long a transaction may wait for its client's next statement. The server then rolls it back, so a
            client that cannot be reached holds no locks.
    """

    lock: float | None = None
    statement: float | None = None
    idle: float | None = None


REQUEST = Limits(lock=5.0, statement=8.0, idle=8.0)
"""Limits of a web request."""

TASK = Limits(lock=2.0, statement=8.0, idle=8.0)
"""Limits of a task. Its locks are limited to less than the lease of a delivery."""

UNLIMITED = Limits()
"""No limits: what a command has, unless it sets some."""

_current: ContextVar[Limits] = ContextVar("limits", default=UNLIMITED)


def current_limits() -> Limits:
    """Return the limits of what runs now."""
    return _current.get()


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Limit the statements and transactions that begin inside the block. What is None stays as it was."""
    given = {name: seconds for name, seconds in limits._asdict().items() if seconds is not None}
    token = _current.set(_current.get()._replace(**given))
    try:
        yield
    finally:
        _current.reset(token)
