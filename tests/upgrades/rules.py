"""The rules of `docs/operations.md` for migrations: what old and new code survive without an error.

A migration is judged by the SQL that it runs on PostgreSQL, which is printed without a server. A statement that no rule
allows is refused. So is removing a column from the code while the database still requires a value in it.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.migrations import Migration
from django.db.migrations.operations import AlterField, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED, CharField, DecimalField, Field, TextField
from psycopg.sql import quote

CONSTANT = r"(?:'[^']*'|[-\w.]+)(?:::\w+)?"
COLUMN = rf'ADD COLUMN "\w+" [a-z ]+(?:\([\d, ]+\))?(?: COLLATE "[^"]+")?(?: DEFAULT {CONSTANT} NOT NULL| NULL)'

ALLOWED = [
    r"CREATE TABLE ",
    r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY ",
    r"DROP INDEX CONCURRENTLY ",
    rf'ALTER TABLE "\w+" {COLUMN}',
    rf'ALTER TABLE "\w+" ALTER COLUMN "\w+" SET DEFAULT {CONSTANT}',
    r'ALTER TABLE "\w+" ALTER COLUMN "\w+" DROP NOT NULL',
    r'ALTER TABLE "\w+" ADD CONSTRAINT "\w+" CHECK \(.*\) NOT VALID',
    r'ALTER TABLE "\w+" VALIDATE CONSTRAINT "\w+"',
    r'ALTER TABLE "\w+" DROP CONSTRAINT "\w+"',
    r'ALTER TABLE "\w+" ENABLE ALWAYS TRIGGER "\w+"',
]
"""Statements that neither rewrite nor scan a table while it is locked, and that old code does not notice."""

WIDER = re.compile(r'ALTER TABLE "\w+" ALTER COLUMN "(\w+)" TYPE (?:varchar|text|numeric)\b')
DROPPED_COLUMN = re.compile(r'ALTER TABLE "(\w+)" DROP COLUMN "(\w+)"')
DROPPED_TABLE = re.compile(r'DROP TABLE "(\w+)"')
CREATED = re.compile(r'CREATE TABLE "(\w+)"')
TABLE = re.compile(r'(?:ALTER TABLE|CREATE (?:UNIQUE )?INDEX "\w+" ON) "(\w+)"')


class NeedsServer(RuntimeError):
    """An operation first looks for constraints in the database."""


class Operations(DatabaseOperations):
    """Puts values into SQL without a connection."""

    def compose_sql(self, sql: str, params: Any) -> str:
        return sql % tuple(map(quote, params)) if params else sql


class Offline(DatabaseWrapper):
    """PostgreSQL without a server, which is enough to print SQL."""

    ops_class = Operations
    pg_version = 150000

    def ensure_connection(self) -> None:
        raise NeedsServer


def sql_of(operation: Operation, app: str, before: ProjectState, after: ProjectState) -> list[str]:
    """The statements that an operation runs on PostgreSQL."""
    offline = Offline({"NAME": "none", "OPTIONS": {}, "TIME_ZONE": None, "AUTOCOMMIT": True}, "default")
    with offline.schema_editor(collect_sql=True, atomic=False) as editor:
        operation.database_forwards(app, editor, before, after)
    return [statement.rstrip(";") for statement in editor.collected_sql if not statement.startswith("--")]


def violations(migration: Migration, before: ProjectState) -> Iterator[str]:
    """What a migration does that no rule allows, as sentences.

    Args:
        migration: the migration.
        before: the state of the models that it starts from.
    """
    state, created, altered = before.clone(), set[str](), set[str]()
    for operation in migration.operations:
        if not operation.reduces_to_sql:
            if migration.atomic or len(migration.operations) > 1:
                yield f"{operation.describe()}: data moves in a migration of its own, with `atomic = False`"
            operation.state_forwards(migration.app_label, state)
            continue
        after = state.clone()
        operation.state_forwards(migration.app_label, after)
        try:
            statements = sql_of(operation, migration.app_label, state, after)
        except NeedsServer:
            yield f"{operation.describe()}: its SQL depends on the database"
            statements = []
        for statement in statements:
            created.update(CREATED.findall(statement))
            touched = {*TABLE.findall(statement)} - created
            altered |= touched
            if touched == set() and TABLE.search(statement):
                continue  # a table that nobody uses yet
            if not _is_allowed(statement, operation, before, state):
                yield f"{operation.describe()}: {statement}"
        state = after
    if migration.atomic and len(altered) > 1:
        yield f"it locks {' and '.join(sorted(altered))} together, which deadlocks with requests"
    yield from _required_although_unknown(before, state)


def _is_allowed(statement: str, operation: Operation, before: ProjectState, state: ProjectState) -> bool:
    if any(re.fullmatch(f"(?:{each}).*" if each.endswith(" ") else each, statement) for each in ALLOWED):
        return True
    if WIDER.match(statement):
        return any(_widens(each, state) for each in _altering(operation))
    known = columns(before)
    if found := DROPPED_COLUMN.match(statement):
        return found[2] not in known.get(found[1], {})
    if found := DROPPED_TABLE.match(statement):
        return found[1] not in known
    return False


def _altering(operation: Operation) -> Iterator[AlterField]:
    if isinstance(operation, AlterField):
        yield operation
    elif isinstance(operation, SeparateDatabaseAndState):
        for each in operation.database_operations:
            yield from _altering(each)


def _widens(operation: AlterField, state: ProjectState) -> bool:
    """Whether the new type holds all that the old one held, with the same bytes."""
    (old,) = (
        model.fields[operation.name] for (_, name), model in state.models.items() if name == operation.model_name_lower
    )
    new = operation.field
    match old, new:
        case CharField(), CharField():
            return old.max_length <= new.max_length
        case CharField(), TextField():
            return True
        case DecimalField(), DecimalField():
            return old.decimal_places == new.decimal_places and old.max_digits <= new.max_digits
    return False


def columns(state: ProjectState) -> dict[str, dict[str, Field]]:
    """The columns of all tables that the models know."""
    return {
        model._meta.db_table: {str(field.column): field for field in model._meta.concrete_fields}
        for model in state.apps.get_models(include_auto_created=True)
    }


def _required_although_unknown(before: ProjectState, after: ProjectState) -> Iterator[str]:
    known = columns(after)
    for table, fields in columns(before).items():
        for name in fields.keys() - known.get(table, fields).keys():
            if not fields[name].null and fields[name].db_default is NOT_PROVIDED:
                yield f"{table}.{name} leaves the code, but the database still requires a value: make it nullable first"
