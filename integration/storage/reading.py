"""Reads: rows by key in one query. Model instances are made directly from the driver's values.

Keys are passed as one JSON document, see `sql.wanted`. Instances are made without calling `__init__`, as `pickle` does.
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
from integration.storage.sqlite_values import FIELD_DECODERS, as_stored, final_target

M = TypeVar("M", bound=models.Model)

set_json_loads(msgspec.json.decode)  # four times as fast as the standard library's


def read(
    model: type[M],
    attributes: str | tuple[str, ...],
    values: Collection[Any],
    locked: bool = False,
    along: str | None = None,
    **also: Any,
) -> list[M]:
    """Return the rows in which an attribute has one of these values, ordered by primary key.

    This takes one query, or none if there are no values.

    Args:
        model: the model to read.
        attributes: the attribute to compare, or a tuple of several.
        values: the values; for several attributes, tuples of values.
        locked: whether to lock the rows against changes until the transaction ends.
        along: a foreign key whose row is read in the same query; rows in which it is NULL are left out.
        also: values that other attributes must have; not None.
    """
    if not values:
        return []
    names = (attributes,) if isinstance(attributes, str) else attributes
    if names is attributes and len(names) == 1:
        values = [value for (value,) in values]
    sql = _lookup_sql(model, names, tuple(also), locked, along)
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


def read_at_once(keys_of: Mapping[type[M], Collection[Any]], key_shared: type[M] | None = None) -> Iterator[M]:
    """Yield the rows of several tables that have these primary keys.

    This takes one query, or none if there are no tables.

    Args:
        keys_of: the primary keys by model.
        key_shared: a model whose rows are locked `FOR KEY SHARE` until the transaction ends.
    """
    model_types = tuple(keys_of)
    factories: Any = _instance_factories(model_types)
    for row in _fetch_all(_union_sql(model_types, key_shared), [*map(keys, keys_of.values())]) if model_types else ():
        make, columns = factories[row[-1]]
        yield make(row[columns])


def select(sql: str, parameters: Sequence[Any], *model_types: type[models.Model]) -> Iterator[tuple[Any, ...]]:
    """Run a query and yield a tuple for each row: an instance of each model, then the remaining columns.

    Args:
        sql: the query. It returns the columns of one model after the other, in the order of `selected`.
        parameters: its parameters.
        model_types: the models.
    """
    factories = _instance_factories(model_types)
    end = factories[-1][1].stop
    for row in _fetch_all(sql, parameters):
        yield (*[make(row[columns]) for make, columns in factories], *row[end:])


def _fetch_all(sql: str, parameters: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        if is_postgresql():
            # psycopg parses the text format in Python, datetimes with a regular expression.
            cursor.cursor.format = Format.BINARY
        cursor.execute(sql, parameters)
        return cursor.fetchall()


@lru_cache
def _instance_factories(
    model_types: tuple[type[models.Model], ...],
) -> list[tuple[Callable[[Sequence[Any]], Any], slice]]:
    """Return each model's instance factory and the slice of a row that holds its columns.

    The rows contain the columns of one model after the other.
    """
    attributes = [attributes_of(model) for model in model_types]
    ends = [*accumulate(map(len, attributes))]
    columns = [slice(end - len(names), end) for names, end in zip(attributes, ends, strict=True)]
    return [*zip(map(_instance_factory, model_types), columns, strict=True)]


@cache
def _instance_factory(model: type[M]) -> Callable[[Sequence[Any]], M]:
    """Return a function that makes an instance from a row's values, without calling `__init__`.

    `pickle` makes instances in the same way. `__init__` would inspect every column again.
    """
    attributes, decoders, alias = attributes_of(model), _decoders(model), connection.alias

    def make(values: Sequence[Any]) -> M:
        row = model.__new__(model)
        attribute_values = vars(row)
        attribute_values["_state"] = state = ModelState()
        state.db, state.adding = alias, False
        attribute_values.update(zip(attributes, values, strict=True))
        for name, decode in decoders:
            if attribute_values[name] is not None:
                attribute_values[name] = decode(attribute_values[name])
        return row

    return make


@lru_cache(maxsize=512)
def _lookup_sql(
    model: type[models.Model], attributes: tuple[str, ...], also: tuple[str, ...], locked: bool, along: str | None
) -> str:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    table = quoted(model._meta.db_table)
    keys = [fields[name] for name in attributes]
    compared = [(field, f"wanted.key{n}") for n, field in enumerate(keys)] + [(fields[name], "%s") for name in also]
    condition = " AND ".join(f"{table}.{quoted(str(field.column))} = {value}" for field, value in compared)
    # Not `FOR UPDATE`, which locks the key as well and so blocks inserts of rows with a foreign key to this row.
    joins, columns = each_of(table, condition, "FOR NO KEY UPDATE" if locked else ""), selected(model)
    if along:
        reference: Any = model._meta.get_field(along)
        other, key = quoted(reference.related_model._meta.db_table), quoted(reference.target_field.column)
        joins += f" {each_of(other, f'{other}.{key} = {table}.{quoted(reference.column)}')}"
        columns += f", {selected(reference.related_model)}"
    return f"""
        SELECT {columns} FROM {wanted(*keys)} {joins}
        ORDER BY {table}.{quoted(str(model._meta.pk.column))}
    """  # noqa: S608 - only names from the code


@lru_cache
def _union_sql(model_types: tuple[type[models.Model], ...], key_shared: type[models.Model] | None) -> str:
    """Return one query for rows of several tables.

    Each row has the columns of all the tables, but only those of its own table are not NULL. Its last column is the
    index of its table.
    """
    queries = []
    for n, model in enumerate(model_types):
        table, key = quoted(model._meta.db_table), quoted(str(model._meta.pk.column))
        columns = ", ".join(selected(other) if other is model else _nulls_of(other) for other in model_types)
        lock = "FOR KEY SHARE" if model is key_shared else ""
        rows = f"{wanted(model._meta.pk)} {each_of(table, f'{table}.{key} = wanted.key0', lock)}"
        queries.append(f"SELECT {columns}, {n} FROM {rows}")  # noqa: S608 - only names from the code
    return " UNION ALL ".join(queries)


def _nulls_of(model: type[models.Model]) -> str:
    """Return SQL for a NULL of the right type for each column of a model.

    SQLite's driver takes the type from the column's name.
    """
    null = "NULL::{}" if is_postgresql() else 'NULL AS "[{}]"'
    return ", ".join(null.format(type_of(field)) for field in model._meta.concrete_fields)


@lru_cache
def _decoders(model: type[models.Model]) -> list[tuple[str, Callable[[Any], Any]]]:
    """Return the attributes whose values the driver returns in another format, each with its decoder."""
    fields = () if is_postgresql() else model._meta.concrete_fields
    field_types = [(field.attname, type(final_target(field))) for field in fields]
    return [(name, FIELD_DECODERS[field_type]) for name, field_type in field_types if field_type in FIELD_DECODERS]
