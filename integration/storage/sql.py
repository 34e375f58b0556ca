"""SQL fragments that reads and writes share: quoted names, column lists, and keys handed over as one JSON document.

Keys are one parameter, whatever their number, so the text of a statement never depends on it: the statement is built
once, and the database plans it once.
"""

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import msgspec
from django.db import connection, models

from integration.storage.sqlite_values import key_as_stored


@lru_cache
def selected(model: type[models.Model]) -> str:
    """SQL for all columns of a model, by its table's name."""
    table = quoted(model._meta.db_table)
    return ", ".join(f"{table}.{quoted(str(field.column))}" for field in model._meta.concrete_fields)


def wanted(*fields: Any) -> str:
    """SQL for a parameter that is made by `keys`, values of these fields, to be joined with `each_of`: `wanted.key0` …

    On PostgreSQL it is asked for by a query of its own, so that it says nothing to the planner, which then plans once
    and not for each length.
    """
    several = len(fields) > 1
    if is_postgresql():
        nth, each = ("(each.value ->> {})", "elements") if several else ("each.value", "elements_text")
        columns = [f"{nth.format(n)}::{type_of(field)} AS key{n}" for n, field in enumerate(fields)]
        return f"(SELECT {', '.join(columns)} FROM json_array_{each}((SELECT %s)::json) AS each(value)) AS wanted"  # noqa: S608
    nth = "json_extract(value, '$[{}]')" if several else "value"
    columns = [f"{nth.format(n)} AS key{n}" for n in range(len(fields))]
    return f"(SELECT {', '.join(columns)} FROM json_each(%s)) AS wanted"  # noqa: S608 - numbers


def type_of(field: Any) -> str:
    """The type of a field's column, without how long it may be."""
    return str(field.rel_db_type(connection)).partition("(")[0]


def keys(values: Iterable[Any]) -> str:
    """The parameter that `wanted` asks for: each of the values, or tuples of them, once and in their order."""
    each = sorted({*values})
    return encode(each if is_postgresql() else [*map(key_as_stored, each)]).decode()


def each_of(table: str, condition: str, lock: str = "", if_any: bool = False) -> str:
    """SQL that joins the rows of a table with what is before: looked for one by one, and never otherwise.

    Args:
        if_any: whether what is before stays where there is no such row; then its columns are empty.

    A plan of PostgreSQL outlives the size a table had when it was made. If it could be one that reads the whole table,
    it would be, for a table that is still empty; and its first thousand rows would be read for each of the keys.
    """
    if is_postgresql():
        join = "LEFT JOIN" if if_any else "JOIN"
        return f"{join} LATERAL (SELECT * FROM {table} WHERE {condition} OFFSET 0 {lock}) AS {table} ON TRUE"  # noqa: S608
    # Of both SQLite knows that what is before comes first.
    return f"{'LEFT' if if_any else 'CROSS'} JOIN {table} ON {condition}"


@cache
def is_postgresql() -> bool:
    """Whether the database is one that takes all of this at once."""
    return connection.vendor == "postgresql"


def quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _plain(value: Any) -> str:
    """A string of a kind of its own, such as Django's safe ones, as the text it is."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{value!r} cannot be stored")


encode = msgspec.json.Encoder(enc_hook=_plain).encode
