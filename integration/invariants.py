"""An invariant is a named check of something that must always be true. It is one query that returns every violation.

One statement sees one snapshot of the database. So a check is correct while the system runs, takes no locks and blocks
nobody. A context defines its invariants in `invariants`; those about several contexts are in `config/invariants/`.

Each thing that must never be true of a row is a *clause* with a name. A test plants an offender for every clause.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        reason: why it was not; empty if it was.
    """

    looked_at: int
    offenders: list[str]
    finished: bool = True
    reason: str = ""

    @property
    def complaints(self) -> list[str]:
        """The violations, and why the check was not finished, as sentences; empty if all is well."""
        return [*self.offenders, *([] if self.finished else [f"not finished: {self.reason}"])]


class Check(Struct, frozen=True):
    """A query over all rows that an invariant is about.

    Args:
        rows: SQL for the rows: the text after `FROM`, with joins, `WHERE` and `GROUP BY`.
        what: SQL expression for a sentence about a row. It must not be NULL.
        never: SQL conditions that no row may meet, by the name of the clause. A condition that is NULL counts as met,
            so a comparison with something that is missing is a violation unless the condition says otherwise.
    """

    rows: str
    what: str
    never: Mapping[str, str]


NOTHING = Check(rows="", what="", never={})
"""The check of what this database does not have."""


class Invariant(Struct, frozen=True):
    """A check, and the sentence that it verifies.

    Args:
        name: the stable name, such as `inventory.on_hand_is_what_moved`.
        sentence: what must always be true.
        query: returns the check.
    """

    name: str
    sentence: str
    query: Callable[[], Check]

    @property
    def clauses(self) -> Sequence[str]:
        """The names of what must never be true of a row."""
        return [*self.query().never]

    def check(self) -> Finding:
        """Run the query. An offender is the sentence about the row, with the clauses that it violates in brackets."""
        return _ask(self.query())


class TookTooLong(RuntimeError):
    """The statement was cancelled because it exceeded its time limit."""


invariants: WireNames[Invariant] = WireNames("invariant")
"""All invariants by name."""


def always(name: str) -> Callable[[Callable[[], Check]], Callable[[], Check]]:
    """Register a check under a name such as `inventory.on_hand_is_what_moved`.

    The docstring of the decorated function is the invariant's sentence.
    """

    def register(query: Callable[[], Check]) -> Callable[[], Check]:
        invariants.add(name, Invariant(name, (query.__doc__ or "").strip(), query))
        return query

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


def json_text(column: str, *path: str) -> str:
    """Return SQL for a text value at a path in a JSON column; NULL when there is none."""
    if connection.vendor == "postgresql":
        return f"{column} #>> '{{{','.join(path)}}}'"
    return f"json_extract({column}, '$.{'.'.join(path)}')"


def json_elements(column: str, alias: str) -> str:
    """Return SQL that joins a row with the elements of a list in its JSON column, as `alias.value`."""
    if connection.vendor == "postgresql":
        return f"CROSS JOIN jsonb_array_elements({column}) AS {alias}(value)"
    return f"JOIN json_each({column}) AS {alias}"


def rows_of(texts: Sequence[str], alias: str) -> str:
    """Return SQL for one row a text, as `alias.value`."""
    literal = json.dumps(texts).replace("'", "''")
    if connection.vendor == "postgresql":
        return f"jsonb_array_elements_text('{literal}'::jsonb) AS {alias}(value)"
    return f"json_each('{literal}') AS {alias}"


def _ask(check: Check) -> Finding:
    if not check.never:
        return Finding(0, [])
    names = [*check.never]
    clauses = ", ".join(f"({condition}) IS NOT FALSE AS c{n}" for n, condition in enumerate(check.never.values()))
    any_clause = " OR ".join(f"c{n}" for n in range(len(names)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH looked AS (SELECT coalesce({check.what}, 'a row without a name') AS what, {clauses} FROM {check.rows})
            SELECT counted.n, offenders.*
            FROM (SELECT count(*) AS n FROM looked) AS counted
            LEFT JOIN (SELECT * FROM looked WHERE {any_clause} ORDER BY what LIMIT {MOST_NAMED}) AS offenders ON 1 = 1
            """  # noqa: S608 - made of constants in the code only
        )
        rows = cursor.fetchall()
    violated = [(what, [name for name, bad in zip(names, clauses, strict=True) if bad]) for _, what, *clauses in rows]
    return Finding(rows[0][0], [f"{what} [{'; '.join(clauses)}]" for what, clauses in violated if what is not None])
