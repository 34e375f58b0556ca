"""Writes: all rows of a unit of work, in one statement on PostgreSQL and one statement per table on SQLite.

On PostgreSQL each table's rows are one JSON document, which the database parses itself. So the text of a statement does
not depend on the number of rows: it is built once, and the database plans it once. Django's `bulk_create` compiles and
quotes every column of every row, which takes eight times as long.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection, models

from integration.storage.known import json_attributes, known_fields
from integration.storage.rows import Row, blank
from integration.storage.sql import encode, is_postgresql, quoted
from integration.storage.sqlite_values import FIELD_ENCODERS, final_target
from integration.storage.strict_json import json_text


class RowGone(RuntimeError):
    """A row that was to be updated does not exist any more."""


class Insert(NamedTuple):
    """New rows of a table. A primary key that the database generates is left out.

    Args:
        model: the model.
        columns: the attributes that the rows contain; empty means all. The others get their `blank` value.
    """

    model: type[models.Model]
    columns: tuple[str, ...] = ()


class Upsert(NamedTuple):
    """Rows to insert, or to update where they exist already.

    Args:
        model: the model.
        unique: the attributes of the unique constraint that decides whether a row exists.
    """

    model: type[models.Model]
    unique: tuple[str, ...]


class Update(NamedTuple):
    """Changed values in some columns of existing rows.

    Args:
        model: the model.
        columns: the attributes to write. Every row contains these and the primary key.
        and_set: SQL that sets other columns, each to the same constant in all rows.
        only_if: an SQL condition that every row must still meet.
        otherwise: the error to raise when a row does not exist or does not meet the condition.
    """

    model: type[models.Model]
    columns: tuple[str, ...]
    and_set: str = ""
    only_if: str = "TRUE"
    otherwise: type[Exception] = RowGone


Write = Insert | Upsert | Update


def write(writes: Mapping[Write, Sequence[Row]]) -> None:
    """Write all rows in the current transaction.

    Args:
        writes: for each write, its rows by attribute.

    Raises:
        CannotStore: a field or a value in JSON has a type that this layer does not know.
        IntegrityError, DataError: from the database.
        RowGone, or an update's `otherwise`: when a row to update does not exist or does not meet the condition.
    """
    writes = {each: rows for each, rows in writes.items() if rows}
    if not writes:
        return
    with connection.cursor() as cursor:
        if is_postgresql():
            documents = {f"w{n}": _document(each.model, rows) for n, (each, rows) in enumerate(writes.items())}
            cursor.execute(_single_statement(tuple(writes)), documents)
            updated = cursor.fetchone()
        else:
            tables = [(each, *_statement_and_parameters(each, rows)) for each, rows in writes.items()]
            updated = []
            for each, sql, parameters in tables:
                cursor.executemany(sql, parameters)
                if isinstance(each, Update):
                    updated.append(cursor.rowcount)
    updates = [(each, rows) for each, rows in writes.items() if isinstance(each, Update)]
    for (each, rows), count in zip(updates, updated, strict=True):
        if count != len(rows):
            raise each.otherwise(each.otherwise.__doc__)


# --- PostgreSQL: one statement ---


def _document(model: type[models.Model], rows: Sequence[Row]) -> str:
    """Return the rows as one JSON document by column name, as `json_populate_recordset` requires.

    Raises:
        CannotStore: a value of a JSON column has a type that JSON has not.
    """
    for name in json_attributes(model):
        for row in rows:
            json_text(row.get(name))
    if renamed := _renamed(model):
        rows = [{renamed.get(name, name): value for name, value in row.items()} for row in rows]
    return encode(rows).decode()


@lru_cache
def _renamed(model: type[models.Model]) -> dict[str, str]:
    """Return the columns whose names differ from their attributes, by attribute."""
    fields = model._meta.concrete_fields
    return {field.attname: str(field.column) for field in fields if field.column != field.attname}


@lru_cache(maxsize=512)
def _single_statement(writes: tuple[Write, ...]) -> str:
    """Return one statement for all writes. It returns the number of rows that each update changed."""
    parts = ", ".join(f"w{n} AS ({_from_json(each, f'%(w{n})s')})" for n, each in enumerate(writes))
    updates = [n for n, each in enumerate(writes) if isinstance(each, Update)]
    counts = ", ".join(f"(SELECT count(*) FROM w{n})" for n in updates)  # noqa: S608 - a number
    return f"WITH {parts} SELECT {counts}"


def _from_json(each: Write, document: str) -> str:
    # `json_populate_recordset` takes the column types from the table, so the statement need not contain them. It should
    # stay short: psycopg caches a parsed statement only up to 4,096 characters.
    table, names = quoted(each.model._meta.db_table), [quoted(field.column) for field in _fields(each)]
    given = f"json_populate_recordset(NULL::{table}, {document})"
    if not isinstance(each, Update):
        columns, values = _columns_and_values(each, names)
        return f"INSERT INTO {table} ({columns}) SELECT {values} FROM {given} {_on_conflict(each)}"  # noqa: S608 - only names from the code
    key, *others = names
    values = ", ".join(filter(None, [*(f"{name} = given.{name}" for name in others), each.and_set]))
    # PostgreSQL estimates 100 rows for any document. For as many it would scan a whole table of some thousand rows. The
    # comparison with an array lets it expect only a few keys, so it uses the primary key.
    few = f"{table}.{key} = ANY(ARRAY(SELECT {key} FROM given))"  # noqa: S608 - as above
    found = f"{table}.{key} = given.{key} AND {few} AND {each.only_if}"
    parsed = f"given AS MATERIALIZED (SELECT * FROM {given})"  # noqa: S608 - as above; read twice
    return f"WITH {parsed} UPDATE {table} SET {values} FROM given WHERE {found} RETURNING 1"  # noqa: S608 - as above


def _on_conflict(each: Insert | Upsert) -> str:
    if isinstance(each, Insert):
        return ""
    unique = [field.column for field in _fields(each) if field.attname in each.unique]
    others = [field.column for field in _fields(each) if field.attname not in each.unique]
    values = ", ".join(f"{quoted(column)} = excluded.{quoted(column)}" for column in others)
    return f"ON CONFLICT ({', '.join(map(quoted, unique))}) DO UPDATE SET {values}"


# --- SQLite: one statement per table ---


def _statement_and_parameters(each: Write, rows: Sequence[Row]) -> tuple[str, list[list[Any]]]:
    """Return the statement that writes one row, and its parameters for each row; raises `CannotStore`."""
    sql, names, encoders = _row_statement(each)
    parameters = [[row[name] for name in names] for row in rows]
    for column, encoder in encoders:
        for row in parameters:
            if row[column] is not None:
                row[column] = encoder(row[column])
    return sql, parameters


@lru_cache(maxsize=512)
def _row_statement(each: Write) -> tuple[str, list[str], list[tuple[int, Callable[[Any], Any]]]]:
    """Return the statement that writes one row, the attributes that are its parameters, and the encoders.

    An encoder converts a value to the format in which SQLite stores it. It is given with the position of its parameter.
    """
    table, fields = quoted(each.model._meta.db_table), _fields(each)
    if not isinstance(each, Update):
        columns, values = _columns_and_values(each, ["%s"] * len(fields))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({values}) {_on_conflict(each)}"  # noqa: S608 - only names from the code
    else:
        key, *others = fields
        values = ", ".join(filter(None, [*(f"{quoted(field.column)} = %s" for field in others), each.and_set]))
        sql = f"UPDATE {table} SET {values} WHERE {quoted(key.column)} = %s AND {each.only_if}"  # noqa: S608
        fields = [*others, key]
    kinds = [type(final_target(field)) for field in fields]
    encoders = [(n, FIELD_ENCODERS[kind]) for n, kind in enumerate(kinds) if kind in FIELD_ENCODERS]
    return sql, [field.attname for field in fields], encoders


def _fields(each: Write) -> list[Any]:
    """Return the fields to write. For an update, the first is the primary key. Raises `CannotStore`."""
    known = known_fields(each.model)
    if isinstance(each, Update):
        return [each.model._meta.pk, *(field for field in known if field.attname in each.columns)]
    fields = [field for field in known if not isinstance(field, models.AutoField)]
    chosen = isinstance(each, Insert) and each.columns
    return [field for field in fields if field.attname in chosen] if chosen else fields


def _columns_and_values(each: Insert | Upsert, values: Sequence[str]) -> tuple[str, str]:
    """Return SQL for the columns of new rows and SQL for their values.

    The columns to write get `values`; every other column gets its `blank` value as a constant.
    """
    given = _fields(each)
    others = [field for field in _fields(Insert(each.model)) if field not in given]
    constants = [_constant(blank(each.model)[field.attname]) for field in others]
    columns = [quoted(str(field.column)) for field in [*given, *others]]
    return ", ".join(columns), ", ".join([*values, *constants])


def _constant(value: Any) -> str:
    """Return a value as an SQL constant; raises `TypeError` if it is not None, a bool, an int or a simple text."""
    match value:
        case None | bool():
            return "NULL" if value is None else str(value).upper()
        case int():
            return str(value)
        case str() if not {*value} & {"'", "%", "\\"}:
            return f"'{value}'"
    raise TypeError(f"the default value {value!r} cannot be written as an SQL constant")
