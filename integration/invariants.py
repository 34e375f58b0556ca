"""What must always be true is a named check, of one query, that names every offender.

One statement sees one moment of the database, so the checks hold on a system at work, take no locks and keep nothing
waiting. Contexts give theirs in `invariants.py`; what is about more than one context is in `config/invariants.py`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.db import OperationalError, connection
from msgspec import Struct

from integration.domain.naming import WireNames

MOST_NAMED = 1_000
"""More offenders than this are counted as this many: by then it is not the single one that matters."""

QUERY_CANCELED, INTERRUPTED = "57014", "SQLITE_INTERRUPT"
"""What a statement ends with that was given up. Sources: PostgreSQL, appendix A; SQLite, result codes."""


class Finding(NamedTuple):
    """What a check found: how many rows it looked at, the wrong ones as sentences, and whether it came to its end."""

    looked_at: int
    offenders: list[str]
    finished: bool = True


class Invariant(Struct, frozen=True):
    """A named truth and how to look for what belies it."""

    name: str
    sentence: str
    check: Callable[[], Finding]


class TookTooLong(RuntimeError):
    """A statement was still running when its time was up."""


invariants: WireNames[Invariant] = WireNames("invariant")


def always(name: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register a check of one query, under a name such as `inventory.on_hand_is_what_moved`.

    The function's docstring is the truth. It returns a SELECT of all rows that is about, with the columns `what` (the
    offender, as a sentence) and `bad` (whether it is one).
    """

    def register(sql: Callable[[], str]) -> Callable[[], str]:
        invariants.add(name, Invariant(name, (sql.__doc__ or "").strip(), lambda: _ask(sql())))
        return sql

    return register


@contextmanager
def no_statement_longer_than(seconds: float) -> Iterator[None]:
    """Have the database give up a statement that takes longer; raises `TookTooLong`.

    No transaction of its own: on SQLite that would keep everybody from writing for as long as it lasts.
    """
    try:
        with _postgresql_limit(seconds) if connection.vendor == "postgresql" else _sqlite_limit(seconds):
            yield
    except OperationalError as error:
        cause = error.__cause__
        if getattr(cause, "sqlstate", "") != QUERY_CANCELED and getattr(cause, "sqlite_errorname", "") != INTERRUPTED:
            raise
        raise TookTooLong(TookTooLong.__doc__) from error


@contextmanager
def _postgresql_limit(seconds: float) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [str(max(1, round(seconds * 1_000)))])
        try:
            yield
        finally:
            cursor.execute("RESET statement_timeout")


@contextmanager
def _sqlite_limit(seconds: float) -> Iterator[None]:
    """SQLite has no such limit, but asks now and then whether to go on; here all statements share the time."""
    connection.ensure_connection()
    until = time.monotonic() + seconds
    connection.connection.set_progress_handler(lambda: time.monotonic() > until, 100_000)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)


def json_number(column: str, key: str) -> str:
    """SQL for a whole number in a JSON column; NULL when it is not there."""
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
