"""Writes: all rows of a unit of work in one statement on PostgreSQL, one statement per table on SQLite.

Each table's rows are one JSON document, which the database takes apart itself. So the text of a statement says nothing
of how many rows there are: it is built once, and the database plans it once. Django's own `bulk_create` compiles and
quotes each column of each row, which costs eight times as much.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection, models

from integration.storage.rows import Row, blank
from integration.storage.sql import encode, is_postgresql, quoted
from integration.storage.sqlite_values import STORED_IN, final_target


class RowGone(RuntimeError):
    """A row that was to be changed is not there any more."""


class Insert(NamedTuple):
    """New rows of a table; a column that the database fills itself is left to it.

    Args:
        columns: the attributes that all rows have, if not all there are; in the others they are blank.
    """

    model: type[models.Model]
    columns: tuple[str, ...] = ()


class Upsert(NamedTuple):
    """Rows of a table that may be there already, and are then as given.

    Args:
        unique: the attributes by which a row is known to be there.
    """

    model: type[models.Model]
    unique: tuple[str, ...]


class Update(NamedTuple):
    """Other values in some columns of rows that are there.

    Args:
        columns: the attributes to write; all rows have them, and their key.
        and_set: SQL that sets other columns, each to the same constant in all rows.
        only_if: an SQL condition that the rows must still meet.
        otherwise: what is raised when not all of them did.
    """

    model: type[models.Model]
    columns: tuple[str, ...]
    and_set: str = ""
    only_if: str = "TRUE"
    otherwise: type[Exception] = RowGone


Write = Insert | Upsert | Update


def write(writes: Mapping[Write, Sequence[Row]]) -> None:
    """Write all of it, in the transaction in progress.

    Raises:
        IntegrityError, DataError: as the database says.
        RowGone, or what an update has instead: when a row to be updated was not there, or no longer as it had to be.
    """
    writes = {each: rows for each, rows in writes.items() if rows}
    if not writes:
        return
    with connection.cursor() as cursor:
        if is_postgresql():
            documents = {f"w{n}": _document(each.model, rows) for n, (each, rows) in enumerate(writes.items())}
            cursor.execute(_at_once(tuple(writes)), documents)
            updated = cursor.fetchone()
        else:
            written = {each: _one_table(cursor, each, rows) for each, rows in writes.items()}
            updated = [count for each, count in written.items() if isinstance(each, Update)]
    updates = [(each, rows) for each, rows in writes.items() if isinstance(each, Update)]
    for (each, rows), count in zip(updates, updated, strict=True):
        if count != len(rows):
            raise each.otherwise(each.otherwise.__doc__)


# --- PostgreSQL: one statement ---


def _document(model: type[models.Model], rows: Sequence[Row]) -> str:
    """The rows as one JSON document. Its keys are the names of columns, which `json_populate_recordset` asks for."""
    if renamed := _renamed(model):
        rows = [{renamed.get(name, name): value for name, value in row.items()} for row in rows]
    return encode(rows).decode()


@lru_cache
def _renamed(model: type[models.Model]) -> dict[str, str]:
    """The columns whose names differ from their attributes', by attribute."""
    fields = model._meta.concrete_fields
    return {field.attname: str(field.column) for field in fields if field.column != field.attname}


@lru_cache(maxsize=512)
def _at_once(writes: tuple[Write, ...]) -> str:
    """One statement for all of it, which returns how many rows each of the updates found."""
    parts = ", ".join(f"w{n} AS ({_from_json(each, f'%(w{n})s')})" for n, each in enumerate(writes))
    updates = [n for n, each in enumerate(writes) if isinstance(each, Update)]
    counts = ", ".join(f"(SELECT count(*) FROM w{n})" for n in updates)  # noqa: S608 - a number
    return f"WITH {parts} SELECT {counts}"


def _from_json(each: Write, document: str) -> str:
    # Of the columns the table itself says what they hold. The text is to stay short: the driver takes what is longer
    # than some thousand characters apart each time anew.
    table, names = quoted(each.model._meta.db_table), [quoted(field.column) for field in _fields(each)]
    given = f"json_populate_recordset(NULL::{table}, {document})"
    if not isinstance(each, Update):
        columns, values = _columns_and_values(each, names)
        return f"INSERT INTO {table} ({columns}) SELECT {values} FROM {given} {_on_conflict(each)}"  # noqa: S608 - ours
    key, *others = names
    values = ", ".join(filter(None, [*(f"{name} = given.{name}" for name in others), each.and_set]))
    # How long a document is, PostgreSQL cannot know and takes for a hundred rows: for so many it would go through the
    # whole of a table of some thousands. So it is shown that what is wanted are a few keys.
    few = f"{table}.{key} = ANY(ARRAY(SELECT {key} FROM given))"  # noqa: S608 - likewise
    found = f"{table}.{key} = given.{key} AND {few} AND {each.only_if}"
    taken_apart = f"given AS MATERIALIZED (SELECT * FROM {given})"  # noqa: S608 - likewise; once, though asked twice
    return f"WITH {taken_apart} UPDATE {table} SET {values} FROM given WHERE {found} RETURNING 1"  # noqa: S608 - likewise


def _on_conflict(each: Insert | Upsert) -> str:
    if isinstance(each, Insert):
        return ""
    unique = [field.column for field in _fields(each) if field.attname in each.unique]
    others = [field.column for field in _fields(each) if field.attname not in each.unique]
    values = ", ".join(f"{quoted(column)} = excluded.{quoted(column)}" for column in others)
    return f"ON CONFLICT ({', '.join(map(quoted, unique))}) DO UPDATE SET {values}"


# --- SQLite: a statement a table ---


def _one_table(cursor: Any, each: Write, rows: Sequence[Row]) -> int:
    sql, names, stored_otherwise = _one_by_one(each)
    parameters = [[row[name] for name in names] for row in rows]
    for column, stored in stored_otherwise:
        for row in parameters:
            if row[column] is not None:
                row[column] = stored(row[column])
    cursor.executemany(sql, parameters)
    return cursor.rowcount


@lru_cache(maxsize=512)
def _one_by_one(each: Write) -> tuple[str, list[str], list[tuple[int, Callable[[Any], Any]]]]:
    """The statement that writes one row, the attributes that are its parameters, and which of these are stored in
    another form than they have, and how."""
    table, fields = quoted(each.model._meta.db_table), _fields(each)
    if not isinstance(each, Update):
        columns, values = _columns_and_values(each, ["%s"] * len(fields))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({values}) {_on_conflict(each)}"  # noqa: S608 - ours
    else:
        key, *others = fields
        values = ", ".join(filter(None, [*(f"{quoted(field.column)} = %s" for field in others), each.and_set]))
        sql = f"UPDATE {table} SET {values} WHERE {quoted(key.column)} = %s AND {each.only_if}"  # noqa: S608
        fields = [*others, key]
    kinds = [type(final_target(field)) for field in fields]
    stored_otherwise = [(n, STORED_IN[kind]) for n, kind in enumerate(kinds) if kind in STORED_IN]
    return sql, [field.attname for field in fields], stored_otherwise


def _fields(each: Write) -> list[Any]:
    """The fields that are written; of an update the key is the first."""
    meta = each.model._meta
    if isinstance(each, Update):
        return [meta.pk, *(field for field in meta.concrete_fields if field.attname in each.columns)]
    fields = [field for field in meta.concrete_fields if not isinstance(field, models.AutoField)]
    chosen = isinstance(each, Insert) and each.columns
    return [field for field in fields if field.attname in chosen] if chosen else fields


def _columns_and_values(each: Insert | Upsert, values: Sequence[str]) -> tuple[str, str]:
    """SQL for the columns of new rows, and for what goes into them: these values, and in all others what is blank."""
    given = _fields(each)
    others = [field for field in _fields(Insert(each.model)) if field not in given]
    constants = [_constant(blank(each.model)[field.attname]) for field in others]
    columns = [quoted(str(field.column)) for field in [*given, *others]]
    return ", ".join(columns), ", ".join([*values, *constants])


def _constant(value: Any) -> str:
    """A value in SQL; raises `TypeError` for one that is not as simple as that."""
    match value:
        case None | bool():
            return "NULL" if value is None else str(value).upper()
        case int():
            return str(value)
        case str() if not {*value} & {"'", "%", "\\"}:
            return f"'{value}'"
    raise TypeError(f"{value!r} is not to be left blank")
