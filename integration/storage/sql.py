"""SQL fragments that reads and writes share: quoted names, column lists, and keys as one JSON document.

All keys of a query are one parameter. So the text of a statement does not depend on their number: it is built once, and
the database plans it once.
"""

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import msgspec
from django.db import connection, models

from integration.storage.sqlite_values import key_as_stored


@lru_cache
def selected(model: type[models.Model]) -> str:
    """Return SQL for all columns of a model, qualified with the table name."""
    table = quoted(model._meta.db_table)
    return ", ".join(f"{table}.{quoted(str(field.column))}" for field in model._meta.concrete_fields)


def wanted(*fields: Any) -> str:
    """Return SQL for a derived table `wanted` with the columns `key0`, `key1` …, to be joined with `each_of`.

    Its parameter is made by `keys` and contains values of these fields.

    On PostgreSQL the parameter is wrapped in a subquery, so the planner cannot see its value. The planner then makes
    one plan for any number of keys, instead of a plan for each.
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
    """Return the type of a field's column without a maximum length."""
    return str(field.rel_db_type(connection)).partition("(")[0]


def keys(values: Iterable[Any]) -> str:
    """Return the parameter of `wanted`: a JSON document of the distinct values, or tuples of values, sorted."""
    each = sorted({*values})
    return encode(each if is_postgresql() else [*map(key_as_stored, each)]).decode()


def each_of(table: str, condition: str, lock: str = "", if_any: bool = False) -> str:
    """Return SQL that joins each row so far with its rows in another table, by lookups and never by a full scan.

    Args:
        table: the quoted name of the other table.
        condition: the SQL condition of the join.
        lock: a locking clause, for PostgreSQL only.
        if_any: whether a row stays if the other table has no row for it; the other columns are then NULL.

    On PostgreSQL `OFFSET 0` keeps the planner from merging the subquery into the join, which excludes plans that read
    the whole table. Such a plan looks cheap while the table is still empty, and PostgreSQL caches it. It would then
    read thousands of rows for each of the keys.
    """
    if is_postgresql():
        join = "LEFT JOIN" if if_any else "JOIN"
        return f"{join} LATERAL (SELECT * FROM {table} WHERE {condition} OFFSET 0 {lock}) AS {table} ON TRUE"  # noqa: S608
    # For both of these joins SQLite reads the left side first.
    return f"{'LEFT' if if_any else 'CROSS'} JOIN {table} ON {condition}"


@cache
def is_postgresql() -> bool:
    """Return whether the database is PostgreSQL. The alternative is SQLite."""
    return connection.vendor == "postgresql"


def quoted(name: str) -> str:
    """Return a name quoted for SQL."""
    return connection.ops.quote_name(name)


def _plain(value: Any) -> str:
    """Return an instance of a subclass of `str`, such as Django's `SafeString`, as a plain string."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{value!r} cannot be stored")


encode = msgspec.json.Encoder(enc_hook=_plain).encode
