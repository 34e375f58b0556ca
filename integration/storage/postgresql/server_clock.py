"""All processes synchronize with PostgreSQL's clock, so machines agree on the time although their clocks differ."""

import logging
from typing import Any

from integration.domain import clock

log = logging.getLogger(__name__)

TOLERATED = 60.0
"""Seconds by which a machine's own clock may differ without a warning."""

_warned_of = 0.0
"""The difference that was last logged; zero while the difference is tolerated."""


def synchronize_with(connection: Any) -> None:
    """Read the server's clock on an idle psycopg connection, and go by it from now on.

    The query bypasses Django's cursor, because it belongs to no command whose statements are counted.
    `clock_timestamp()` is the time of the reading; `now()` would be the beginning of the transaction.
    """

    def read() -> float:
        cursor = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8", prepare=False)
        return float(cursor.fetchone()[0])

    _log(clock.synchronize(read))


def _log(ahead: float) -> None:
    """Log a difference that is not tolerated, once until it changes, and its end."""
    global _warned_of
    if abs(ahead) > TOLERATED:
        if abs(ahead - _warned_of) > clock.JUMP:
            _warned_of = ahead
            log.warning(
                "this machine's clock is %.0f s %s the database's: set the wrong one; Waybill goes by the database's",
                abs(ahead),
                "ahead of" if ahead > 0 else "behind",
            )
    elif _warned_of:
        _warned_of = 0.0
        log.info("this machine's clock agrees with the database's again")
