"""Reads: rows by key in one query, made into model instances straight from the driver's values.

Keys travel as one JSON document (`sql.wanted`). Instances are made as unpickling makes them, without `__init__`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any, TypeVar

import msgspec
from django.db import connection, models
from django.db.models.base import ModelState
from psycopg.pq import Format
from psycopg.types.json import set_json_loads

from integration.storage.rows import attributes_of
from integration.storage.sql import each_of, is_postgresql, keys, quoted, selected, type_of, wanted
from integration.storage.sqlite_values import UNDERSTOOD, as_stored, final_target

M = TypeVar("M", bound=models.Model)

set_json_loads(msgspec.json.decode)  # four times as fast as Python's own


def read(
    model: type[M],
    attributes: str | tuple[str, ...],
    values: Collection[Any],
    locked: bool = False,
    along: str | None = None,
    **also: Any,
) -> list[M]:
    """The rows in which an attribute has one of these values, or several have the values of one of these tuples, in the
    order of their keys; one query, or none for no values.

    Args:
        locked: whether nobody else is to change them until the transaction ends.
        along: a foreign key whose row is read along with each of them; a row in which it is empty is left out.
        also: what other attributes must be; not None.
    """
    if not values:
        return []
    names = (attributes,) if isinstance(attributes, str) else attributes
    if names is attributes and len(names) == 1:
        values = [value for (value,) in values]
    sql = _among(model, names, tuple(also), locked, along)
    others = also.values() if is_postgresql() else map(as_stored, also.values())
    parameters = [keys(values), *others]
    if along is None:
        return [row for (row,) in select(sql, parameters, model)]
    key: Any = model._meta.get_field(along)
    rows = []
    for row, other in select(sql, parameters, model, key.related_model):
        key.set_cached_value(row, other)
        rows.append(row)
    return rows


def read_at_once(keys_of: Mapping[type[M], Collection[Any]]) -> Iterator[M]:
    """The rows of several tables that have these keys; one query, or none for no tables."""
    every = tuple(keys_of)
    made: Any = _made(every)
    for row in _found(_in_turn(every), [*map(keys, keys_of.values())]) if every else ():
        make, cut = made[row[-1]]
        yield make(row[cut])


def select(sql: str, parameters: Sequence[Any], *kinds: type[models.Model]) -> Iterator[tuple[Any, ...]]:
    """What a query of our own finds: of each row an instance of each of these models, whose columns it must give one
    model after the other, in the order of `selected`; and then whatever it gives besides."""
    made = _made(kinds)
    besides = made[-1][1].stop
    for row in _found(sql, parameters):
        yield (*[make(row[cut]) for make, cut in made], *row[besides:])


def _found(sql: str, parameters: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        if is_postgresql():
            cursor.cursor.format = Format.BINARY  # text would be parsed in Python, each moment by a regular expression
        cursor.execute(sql, parameters)
        return cursor.fetchall()


@lru_cache
def _made(kinds: tuple[type[models.Model], ...]) -> list[tuple[Callable[[Sequence[Any]], Any], slice]]:
    """Of rows that have the columns of several models: what makes each model's instance, and of which columns."""
    attributes = [attributes_of(model) for model in kinds]
    ends = [*accumulate(map(len, attributes))]
    cuts = [slice(end - len(names), end) for names, end in zip(attributes, ends, strict=True)]
    return [*zip(map(_maker, kinds), cuts, strict=True)]


@cache
def _maker(model: type[M]) -> Callable[[Sequence[Any]], M]:
    """What makes an instance of a row's values as unpickling makes one, for `__init__` considers each column anew."""
    attributes, understood, alias = attributes_of(model), _understood(model), connection.alias

    def make(values: Sequence[Any]) -> M:
        row = model.__new__(model)
        has = vars(row)
        has["_state"] = state = ModelState()
        state.db, state.adding = alias, False
        has.update(zip(attributes, values, strict=True))
        for name, understand in understood:
            if has[name] is not None:
                has[name] = understand(has[name])
        return row

    return make


@lru_cache(maxsize=512)
def _among(
    model: type[models.Model], attributes: tuple[str, ...], also: tuple[str, ...], locked: bool, along: str | None
) -> str:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    table = quoted(model._meta.db_table)
    keys = [fields[name] for name in attributes]
    met = [(field, f"wanted.key{n}") for n, field in enumerate(keys)] + [(fields[name], "%s") for name in also]
    meets = " AND ".join(f"{table}.{quoted(str(field.column))} = {value}" for field, value in met)
    # Not the key: a lock on that would hold up everyone who inserts a row that refers to this one.
    found, columns = each_of(table, meets, "FOR NO KEY UPDATE" if locked else ""), selected(model)
    if along:
        reference: Any = model._meta.get_field(along)
        other, key = quoted(reference.related_model._meta.db_table), quoted(reference.target_field.column)
        found += f" {each_of(other, f'{other}.{key} = {table}.{quoted(reference.column)}')}"
        columns += f", {selected(reference.related_model)}"
    return f"""
        SELECT {columns} FROM {wanted(*keys)} {found}
        ORDER BY {table}.{quoted(str(model._meta.pk.column))}
    """  # noqa: S608 - names of our own


@lru_cache
def _in_turn(every: tuple[type[models.Model], ...]) -> str:
    """One query for rows of several tables: each row has the columns of all of them, values in those of one, and at its
    end which of them that is."""
    queries = []
    for n, model in enumerate(every):
        table, key = quoted(model._meta.db_table), quoted(str(model._meta.pk.column))
        columns = ", ".join(selected(other) if other is model else _nothing_of(other) for other in every)
        rows = f"{wanted(model._meta.pk)} {each_of(table, f'{table}.{key} = wanted.key0')}"
        queries.append(f"SELECT {columns}, {n} FROM {rows}")  # noqa: S608 - names of our own
    return " UNION ALL ".join(queries)


def _nothing_of(model: type[models.Model]) -> str:
    """NULL for each column of a model, and of its type: on SQLite the driver is told so by the column's name."""
    null = "NULL::{}" if is_postgresql() else 'NULL AS "[{}]"'
    return ", ".join(null.format(type_of(field)) for field in model._meta.concrete_fields)


@lru_cache
def _understood(model: type[models.Model]) -> list[tuple[str, Callable[[Any], Any]]]:
    """Which attributes a database gives in another form than they have, and what makes them what they are."""
    fields = () if is_postgresql() else model._meta.concrete_fields
    kinds = [(field.attname, type(final_target(field))) for field in fields]
    return [(name, UNDERSTOOD[kind]) for name, kind in kinds if kind in UNDERSTOOD]
