"""An invariant is a named check of something that must always be true. It is one query that returns every violation.

One statement sees one snapshot of the database. So a check is correct while the system runs, takes no locks and blocks
nobody. A context defines its invariants in `invariants.py`; those about several contexts are in `config/invariants.py`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.db import OperationalError, connection
from msgspec import Struct

from integration.domain.naming import WireNames
from integration.storage.limits import Limits, limited

MOST_NAMED = 1_000
"""The limit on violations that a check returns. With more of them, the single one no longer matters."""

QUERY_CANCELED, INTERRUPTED = "57014", "SQLITE_INTERRUPT"
"""The error codes of a cancelled statement. Sources: PostgreSQL, appendix A; SQLite, result codes."""


class Finding(NamedTuple):
    """The result of a check.

    Args:
        looked_at: how many rows were checked.
        offenders: the violations, as sentences.
        finished: whether the check was completed.
    """

    looked_at: int
    offenders: list[str]
    finished: bool = True


class Invariant(Struct, frozen=True):
    """A check, and the sentence that it verifies.

    Args:
        name: the stable name, such as `inventory.on_hand_is_what_moved`.
        sentence: what must always be true.
        check: runs the query.
    """

    name: str
    sentence: str
    check: Callable[[], Finding]


class TookTooLong(RuntimeError):
    """The statement was cancelled because it exceeded its time limit."""


invariants: WireNames[Invariant] = WireNames("invariant")
"""All invariants by name."""


def always(name: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register a check of one query under a name such as `inventory.on_hand_is_what_moved`.

    The docstring of the decorated function is the invariant's sentence. The function returns a SELECT over all rows to
    check. Its column `what` is a sentence about the row, and `bad` is whether the row violates the invariant.
    """

    def register(sql: Callable[[], str]) -> Callable[[], str]:
        invariants.add(name, Invariant(name, (sql.__doc__ or "").strip(), lambda: _ask(sql())))
        return sql

    return register


@contextmanager
def no_statement_longer_than(seconds: float) -> Iterator[None]:
    """Cancel database statements inside the block that run longer than `seconds`; raises `TookTooLong`.

    The block opens no transaction. On SQLite a transaction would block all writers for as long as it is open.
    """
    try:
        with limited(Limits(statement=seconds)) if connection.vendor == "postgresql" else _sqlite_limit(seconds):
            yield
    except OperationalError as error:
        cause = error.__cause__
        if getattr(cause, "sqlstate", "") != QUERY_CANCELED and getattr(cause, "sqlite_errorname", "") != INTERRUPTED:
            raise
        raise TookTooLong(TookTooLong.__doc__) from error


@contextmanager
def _sqlite_limit(seconds: float) -> Iterator[None]:
    """SQLite has no statement timeout.

    Its progress handler can interrupt a statement; all statements here share the time.
    """
    connection.ensure_connection()
    until = time.monotonic() + seconds
    connection.connection.set_progress_handler(lambda: time.monotonic() > until, 100_000)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)


def json_number(column: str, key: str) -> str:
    """Return SQL for a whole number in a JSON column; NULL when the key is missing."""
    if connection.vendor == "postgresql":
        return f"({column} ->> '{key}')::bigint"
    return f"json_extract({column}, '$.{key}')"


def _ask(sql: str) -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH looked AS ({sql})
            SELECT counted.n, offenders.what
            FROM (SELECT count(*) AS n FROM looked) AS counted
            LEFT JOIN (SELECT what FROM looked WHERE bad ORDER BY what LIMIT {MOST_NAMED}) AS offenders ON 1 = 1
            """  # noqa: S608 - made of constants in the code only
        )
        rows = cursor.fetchall()
    return Finding(rows[0][0], [what for _, what in rows if what is not None])
