"""The rows of a history are numbered, and the numbers of an aggregate's events increase with its versions.

A read model reads a history in the order of these numbers. On PostgreSQL they are in the column `seq`: an identity
column that Django does not know, so no INSERT of Django sets it. SQLite numbers its rows anyway, and has one writer, so
its numbers always increase with the versions.

Rows that existed before the column are numbered by time and version. Waybill used to number them in the order of the
table's pages. Several processes write to several pages, so that order differs from the order of versions. `renumber`
repairs such a history.
"""

from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.migrations import RunPython
from django.db.utils import ProgrammingError

from integration.domain.errors import Refused
from integration.history.append_only import changeable, histories
from integration.history.entries import history_of
from integration.invariants import NOTHING, Check, always
from integration.read_models.history_reader import number
from integration.storage.sql import is_postgresql

BY_TIME_AND_VERSION = """
    WITH timed AS (
        SELECT id, version, max(occurred_at) OVER (PARTITION BY stream, stream_id ORDER BY version) AS moment
        FROM {table}
    ), numbered AS (SELECT id, row_number() OVER (ORDER BY moment, version, id) AS seq FROM timed)
    UPDATE {table} AS history SET seq = numbered.seq FROM numbered WHERE numbered.id = history.id
"""
"""An old clock may have run backwards, so an event counts as no earlier than the versions before it."""

SWAP = """
    WITH placed AS (
        SELECT id, seq, stream, stream_id,
            row_number() OVER (PARTITION BY stream, stream_id ORDER BY version) AS nth,
            row_number() OVER (PARTITION BY stream, stream_id ORDER BY seq) AS place
        FROM {table} WHERE (stream, stream_id) IN (SELECT stream, stream_id FROM ({checked}) AS checked WHERE bad)
    )
    UPDATE {table} AS history SET seq = -other.seq
    FROM placed AS own JOIN placed AS other
        ON other.stream = own.stream AND other.stream_id = own.stream_id AND other.place = own.nth
    WHERE own.nth <> own.place AND history.id = own.id
"""
"""Gives each aggregate its own numbers in the order of its versions. They are negative at first, because PostgreSQL
checks after each row that numbers are unique."""


class NotTheOwner(Refused):
    """The history is numbered wrongly, and only the owner of its table can repair it: run `rebuild` in its role."""


def number_history(context: str) -> RunPython:
    """The migration operation that numbers the existing and all future rows of a context's history.

    `BY DEFAULT` lets a copy of whole rows preserve their numbers.

    Args:
        context: the app label of the context.
    """
    return RunPython(partial(_number, f"{context}_history"), partial(_remove_numbers, f"{context}_history"))


def renumber_history(context: str) -> RunPython:
    """The migration operation that repairs the numbers of a context's history; see `renumber`.

    Args:
        context: the app label of the context.
    """
    return RunPython(partial(_renumber, context), RunPython.noop)


def renumber(context: str) -> int:
    """Let the numbers of a history increase with the versions; locks only the rows that get other numbers.

    What has read such a history may be wrong. So no code owns the existing builds of the context's read models any
    more, and workers make new ones.

    Args:
        context: the app label of the context.

    Returns:
        The number of rows that have another number now.

    Raises:
        NotTheOwner: rows are numbered wrongly, but the database refuses to change them.
    """
    table = history_of(context)._meta.db_table
    if not is_postgresql() or not misnumbered(table):
        return 0
    try:
        with transaction.atomic(), connection.cursor() as cursor, changeable(table):
            cursor.execute(SWAP.format(table=table, checked=_checked(table)))
            cursor.execute(f"UPDATE {table} SET seq = -seq WHERE seq < 0")  # noqa: S608 - names of the code only
            changed = cursor.rowcount
            cursor.execute("UPDATE integration_readmodelbuild SET code = '' WHERE read_model LIKE %s", [f"{context}.%"])
    except ProgrammingError as error:
        raise NotTheOwner from error
    return changed


def misnumbered(table: str) -> list[str]:
    """Sentences about events whose numbers do not increase with the versions of their aggregates.

    Args:
        table: the table of a history.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT what FROM ({_checked(table)}) AS checked WHERE bad ORDER BY what LIMIT 100")  # noqa: S608
        return [what for (what,) in cursor.fetchall()]


@always("read_models.numbers_increase_with_versions")
def numbers_increase_with_versions() -> Check:
    """The events of an aggregate are numbered in the order of its versions; `manage.py rebuild` repairs that."""
    return Check(
        rows=f"({' UNION ALL '.join(_checked(table) for table in histories())}) AS numbered",
        what="numbered.what",
        never={"the numbers do not increase": "numbered.bad"},
    )


@always("events.numbers_are_not_cached")
def numbers_are_not_cached() -> Check:
    """Each history takes its numbers from a sequence that no session takes several of at once; PostgreSQL only.

    A session that cached numbers would commit lower ones after higher ones, long after read models passed them.
    """
    if not is_postgresql():
        return NOTHING
    tables = ", ".join(f"('{table}')" for table in histories())
    return Check(
        rows=f"""
            (VALUES {tables}) AS history(name) LEFT JOIN pg_sequence AS sequence
                ON sequence.seqrelid = pg_get_serial_sequence(history.name, 'seq')::regclass
        """,
        what="""
            history.name || ' takes its numbers from '
              || coalesce('a sequence that caches ' || sequence.seqcache, 'no sequence')
        """,
        never={
            "there is no sequence": "sequence.seqrelid IS NULL",
            "the sequence has a cache": "coalesce(sequence.seqcache > 1, FALSE)",
        },
    )


def _checked(table: str) -> str:
    return f"""
        SELECT stream, stream_id, coalesce(numbered < earlier, FALSE) AS bad,
               '{table}: version ' || version || ' of ' || stream || ' ' || stream_id || ' is numbered before version '
                 || (version - 1) AS what
        FROM (SELECT stream, stream_id, version, {number()} AS numbered,
                lag({number()}) OVER (PARTITION BY stream, stream_id ORDER BY version) AS earlier
              FROM {table}) AS history
    """  # noqa: S608 - names of the code only


def _number(table: str, apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"ALTER TABLE {table} ADD COLUMN seq bigint")
        with changeable(table):
            schema_editor.execute(BY_TIME_AND_VERSION.format(table=table))
        schema_editor.execute(f"ALTER TABLE {table} ALTER COLUMN seq SET NOT NULL")
        schema_editor.execute(f"ALTER TABLE {table} ALTER COLUMN seq ADD GENERATED BY DEFAULT AS IDENTITY")
        schema_editor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'seq'), (SELECT max(seq) FROM {table}))"  # noqa: S608
        )
        schema_editor.execute(f"CREATE UNIQUE INDEX {table}_seq ON {table} (seq)")


def _renumber(context: str, apps: Any, schema_editor: Any) -> None:
    renumber(context)


def _remove_numbers(table: str, apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"ALTER TABLE {table} DROP COLUMN seq")
