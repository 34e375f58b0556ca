"""All that a unit of work writes goes to the database at once: on PostgreSQL in one statement, whatever it is.

Each table's rows are one JSON document, which the database takes apart itself, and so are the keys of what is read. So
the text of a statement says nothing of how many rows there are: it is made once, and the database plans it once.
Nothing is compiled and quoted for each column of each row, which costs Django's own `bulk_create` eight times as much.
SQLite, which is no round trip away, is handed one table after the other.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from django.db import connection, models
from django.db.models.base import ModelState
from psycopg.pq import Format
from psycopg.types.json import set_json_loads

from integration.domain.identifiers import uuid_of

M = TypeVar("M", bound=models.Model)

Row = Mapping[str, Any]
"""A row's values, by the names its model's attributes have; what else is in it is passed over."""

set_json_loads(msgspec.json.decode)  # four times as fast as Python's own


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
            documents = {f"w{n}": _encode(rows).decode() for n, rows in enumerate(writes.values())}
            cursor.execute(_at_once(tuple(writes)), documents)
            updated = cursor.fetchone()
        else:
            written = {each: _one_table(cursor, each, rows) for each, rows in writes.items()}
            updated = [count for each, count in written.items() if isinstance(each, Update)]
    updates = [(each, rows) for each, rows in writes.items() if isinstance(each, Update)]
    for (each, rows), count in zip(updates, updated, strict=True):
        if count != len(rows):
            raise each.otherwise(each.otherwise.__doc__)


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
    others = also.values() if is_postgresql() else map(_as_stored, also.values())
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
    attributes = [_attributes(model) for model in kinds]
    ends = [*accumulate(map(len, attributes))]
    cuts = [slice(end - len(names), end) for names, end in zip(attributes, ends, strict=True)]
    return [*zip(map(_maker, kinds), cuts, strict=True)]


@cache
def _maker(model: type[M]) -> Callable[[Sequence[Any]], M]:
    """What makes an instance of a row's values as unpickling makes one, for `__init__` considers each column anew."""
    attributes, understood, alias = _attributes(model), _understood(model), connection.alias

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


@lru_cache
def selected(model: type[models.Model]) -> str:
    """SQL for all columns of a model, by its table's name."""
    table = _quoted(model._meta.db_table)
    return ", ".join(f"{table}.{_quoted(str(field.column))}" for field in model._meta.concrete_fields)


@lru_cache(maxsize=512)
def _among(
    model: type[models.Model], attributes: tuple[str, ...], also: tuple[str, ...], locked: bool, along: str | None
) -> str:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    table = _quoted(model._meta.db_table)
    keys = [fields[name] for name in attributes]
    met = [(field, f"wanted.key{n}") for n, field in enumerate(keys)] + [(fields[name], "%s") for name in also]
    meets = " AND ".join(f"{table}.{_quoted(str(field.column))} = {value}" for field, value in met)
    # Not the key: a lock on that would hold up everyone who inserts a row that refers to this one.
    found, columns = each_of(table, meets, "FOR NO KEY UPDATE" if locked else ""), selected(model)
    if along:
        reference: Any = model._meta.get_field(along)
        other, key = _quoted(reference.related_model._meta.db_table), _quoted(reference.target_field.column)
        found += f" {each_of(other, f'{other}.{key} = {table}.{_quoted(reference.column)}')}"
        columns += f", {selected(reference.related_model)}"
    return f"""
        SELECT {columns} FROM {wanted(*keys)} {found}
        ORDER BY {table}.{_quoted(str(model._meta.pk.column))}
    """  # noqa: S608 - names of our own


@lru_cache
def _in_turn(every: tuple[type[models.Model], ...]) -> str:
    """One query for rows of several tables: each row has the columns of all of them, values in those of one, and at its
    end which of them that is."""
    queries = []
    for n, model in enumerate(every):
        table, key = _quoted(model._meta.db_table), _quoted(str(model._meta.pk.column))
        columns = ", ".join(selected(other) if other is model else _nothing_of(other) for other in every)
        rows = f"{wanted(model._meta.pk)} {each_of(table, f'{table}.{key} = wanted.key0')}"
        queries.append(f"SELECT {columns}, {n} FROM {rows}")  # noqa: S608 - names of our own
    return " UNION ALL ".join(queries)


def _nothing_of(model: type[models.Model]) -> str:
    """NULL for each column of a model, and of its type: on SQLite the driver is told so by the column's name."""
    null = "NULL::{}" if is_postgresql() else 'NULL AS "[{}]"'
    return ", ".join(null.format(_kind_of(field)) for field in model._meta.concrete_fields)


def wanted(*fields: Any) -> str:
    """SQL for a parameter that is made by `keys`, values of these fields, to be joined with `each_of`: `wanted.key0` …

    On PostgreSQL it is asked for by a query of its own, so that it says nothing to the planner, which then plans once
    and not for each length.
    """
    several = len(fields) > 1
    if is_postgresql():
        nth, each = ("(each.value ->> {})", "elements") if several else ("each.value", "elements_text")
        columns = [f"{nth.format(n)}::{_kind_of(field)} AS key{n}" for n, field in enumerate(fields)]
        return f"(SELECT {', '.join(columns)} FROM json_array_{each}((SELECT %s)::json) AS each(value)) AS wanted"  # noqa: S608
    nth = "json_extract(value, '$[{}]')" if several else "value"
    columns = [f"{nth.format(n)} AS key{n}" for n in range(len(fields))]
    return f"(SELECT {', '.join(columns)} FROM json_each(%s)) AS wanted"  # noqa: S608 - numbers


def _kind_of(field: Any) -> str:
    """The type of a field's column, without how long it may be."""
    return str(field.rel_db_type(connection)).partition("(")[0]


def keys(values: Iterable[Any]) -> str:
    """The parameter that `wanted` asks for: each of the values, or tuples of them, once and in their order."""
    each = sorted({*values})
    return _encode(each if is_postgresql() else [*map(_key_as_stored, each)]).decode()


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


def values_of(row: models.Model) -> dict[str, Any]:
    """All that a row has in its columns."""
    values = vars(row)
    return {name: values[name] for name in _attributes(type(row))}


def key_of(model: type[models.Model]) -> str:
    """The attribute that is a model's key."""
    return str(model._meta.pk.attname)


@lru_cache
def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """The attributes of a model that an update may write: all but its key."""
    return tuple(field.attname for field in model._meta.concrete_fields if not field.primary_key)


@lru_cache
def blank(model: type[models.Model]) -> Row:
    """The values a new row has unless others are given, in the columns that its model has a default for, or may be
    empty."""
    return {field.attname: field.get_default() for field in model._meta.concrete_fields}


def unsaved(model: type[M], values: Row) -> M:
    """A new row with these values, and those of `blank`, as those that are read are made."""
    row = model.__new__(model)
    begin(row, values)
    return row


def begin(row: models.Model, values: Row) -> None:
    """Do with a new row what its `__init__` would, which asks each column anew for what it begins with."""
    has, model = vars(row), type(row)
    has["_state"] = ModelState()
    has |= blank(model)
    has |= values
    for name, make in _made_anew(model):
        if name not in values:
            has[name] = make()


@lru_cache
def _made_anew(model: type[models.Model]) -> list[tuple[str, Callable[[], Any]]]:
    """What makes the values that no two rows share, such as an empty list, by their attributes."""
    with_default = (field for field in model._meta.concrete_fields if field.has_default())
    return [(field.attname, field.default) for field in with_default if callable(field.default)]


@lru_cache
def _attributes(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


def _plain(value: Any) -> str:
    """A string of a kind of its own, such as Django's safe ones, as the text it is."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{value!r} cannot be stored")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


# --- PostgreSQL: one statement ---


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
    table, names = _quoted(each.model._meta.db_table), [_quoted(field.column) for field in _fields(each)]
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
    values = ", ".join(f"{_quoted(column)} = excluded.{_quoted(column)}" for column in others)
    return f"ON CONFLICT ({', '.join(map(_quoted, unique))}) DO UPDATE SET {values}"


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
    table, fields = _quoted(each.model._meta.db_table), _fields(each)
    if not isinstance(each, Update):
        columns, values = _columns_and_values(each, ["%s"] * len(fields))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({values}) {_on_conflict(each)}"  # noqa: S608 - ours
    else:
        key, *others = fields
        values = ", ".join(filter(None, [*(f"{_quoted(field.column)} = %s" for field in others), each.and_set]))
        sql = f"UPDATE {table} SET {values} WHERE {_quoted(key.column)} = %s AND {each.only_if}"  # noqa: S608
        fields = [*others, key]
    kinds = [type(_at_the_end_of(field)) for field in fields]
    stored_otherwise = [(n, STORED_IN[kind]) for n, kind in enumerate(kinds) if kind in STORED_IN]
    return sql, [field.attname for field in fields], stored_otherwise


def _as_stored(value: Any) -> Any:
    stored = STORED.get(type(value))
    return stored(value) if stored else value


def _key_as_stored(key: Any) -> Any:
    return [*map(_as_stored, key)] if isinstance(key, tuple) else _as_stored(key)


@lru_cache(maxsize=4_096)
def _moment_as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(" ").removesuffix("+00:00")


@lru_cache(maxsize=4_096)
def _uuid_by(digits: str) -> UUID:
    return uuid_of(int(digits, 16))


# As Django has SQLite store them; and what is left to do of what it reads, moments without a zone and dates being read
# as such by the driver. The same moments and stories are met again and again in the rows of an order.
STORED: dict[type, Callable[[Any], Any]] = {
    UUID: lambda uuid: uuid.int.to_bytes(16).hex(),
    datetime: _moment_as_text,
    date: str,
}
STORED_IN: dict[type, Callable[[Any], Any]] = {
    models.UUIDField: STORED[UUID],
    models.DateTimeField: STORED[datetime],
    models.DateField: STORED[date],
    models.JSONField: json.dumps,
}
UNDERSTOOD: dict[type, Callable[[Any], Any]] = {
    models.UUIDField: _uuid_by,
    models.DateTimeField: lambda moment: moment.replace(tzinfo=UTC),
    models.JSONField: msgspec.json.decode,
}


@lru_cache
def _understood(model: type[models.Model]) -> list[tuple[str, Callable[[Any], Any]]]:
    """Which attributes a database gives in another form than they have, and what makes them what they are."""
    fields = () if is_postgresql() else model._meta.concrete_fields
    kinds = [(field.attname, type(_at_the_end_of(field))) for field in fields]
    return [(name, UNDERSTOOD[kind]) for name, kind in kinds if kind in UNDERSTOOD]


def _at_the_end_of(field: Any) -> Any:
    """The field itself, or the one that it refers to in the end."""
    return _at_the_end_of(field.target_field) if field.remote_field else field


def _fields(each: Write) -> list[Any]:
    """The fields that are written; of an update the key is the first.

    Raises:
        TypeError: for a column that is not called as its attribute is: a row would be given without it.
    """
    meta = each.model._meta
    if renamed := [str(field.column) for field in meta.concrete_fields if field.column != field.attname]:
        raise TypeError(f"{meta.label} has columns by other names than its attributes: {', '.join(renamed)}")
    if isinstance(each, Update):
        return [meta.pk, *(field for field in meta.concrete_fields if field.attname in each.columns)]
    fields = [field for field in meta.concrete_fields if not isinstance(field, models.AutoField)]
    chosen = isinstance(each, Insert) and each.columns
    return [field for field in fields if field.attname in chosen] if chosen else fields


def _columns_and_values(each: Insert | Upsert, values: Sequence[str]) -> tuple[str, str]:
    """SQL for the columns of new rows, and for what goes into them: these values, and in all others what is blank."""
    given = [field.attname for field in _fields(each)]
    others = [field.attname for field in _fields(Insert(each.model)) if field.attname not in given]
    constants = [_constant(blank(each.model)[name]) for name in others]
    return ", ".join(map(_quoted, [*given, *others])), ", ".join([*values, *constants])


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


@cache
def is_postgresql() -> bool:
    """Whether the database is one that takes all of this at once."""
    return connection.vendor == "postgresql"


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
