"""Work that may be repeated waits for a database that is away, and then begins again.

A server that restarts is back within seconds. A command that has run for an hour should not end because of that.
"""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 120.0
"""Seconds without a database after which the error is raised."""
PAUSE = 0.5


def repeated_after_outages(work: Callable[P, T]) -> Callable[P, T]:
    """Call the decorated function again, once the database responds, if the connection was lost in the meantime.

    The function must be one that may be called again after it was interrupted, and is called without a transaction.

    Raises:
        OperationalError, InterfaceError: the database stays away, or the error has another reason.
    """

    @wraps(work)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        while True:
            try:
                return work(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if _responds():
                    raise
                log.warning("the database is away (%s): waiting for it", " ".join(str(error).split()))
                _wait(error)

    return repeated


def _responds() -> bool:
    """Whether the connection on which an error occurred is still good, so that the error has another reason."""
    return connection.connection is not None and connection.is_usable()


def _wait(error: Exception) -> None:
    """Wait until a new connection can be made; raises the error after `GIVE_UP_AFTER`."""
    connection.close()
    give_up_at = time.monotonic() + GIVE_UP_AFTER
    while True:
        try:
            connection.ensure_connection()
        except OperationalError:
            if time.monotonic() > give_up_at:
                raise error from None
            time.sleep(PAUSE)
        else:
            log.warning("the database is back")
            return
