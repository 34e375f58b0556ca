"""Triggers make the history tables append-only: the database refuses to change or delete a row.

A context adds them in a migration: `operations = [AppendOnly("History")]`. To alter a table, SQLite recreates it and
drops its triggers. So a later migration that alters the table must contain `AppendOnly` again. `manage.py verify`
reports every history table that lacks its triggers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.migrations import RunPython
from django.db.migrations.operations.base import Operation, OperationCategory

from integration.history.entries import HistoryEntry
from integration.invariants import Check, always


def protect(table: str, vendor: str) -> list[str]:
    """Return the SQL statements that make a table append-only.

    Args:
        table: the table's name.
        vendor: the database, as Django's `connection.vendor` names it.
    """
    return _protect_postgresql(table) if vendor == "postgresql" else _protect_sqlite(table)


def unprotect(table: str, vendor: str) -> list[str]:
    """Return the SQL statements that remove the protection. On PostgreSQL only the table's owner may execute them."""
    if vendor == "postgresql":
        return [
            f'DROP TRIGGER "{table}_is_append_only" ON "{table}"',
            f'DROP FUNCTION "{table}_is_append_only"()',
        ]
    return [f'DROP TRIGGER "{name}"' for name in _names(table)]


@contextmanager
def changeable(table: str) -> Iterator[None]:
    """Let the current transaction, and no other, change rows of an append-only table; PostgreSQL only.

    The function of the trigger is replaced and restored in one transaction. So other transactions never see the
    replacement, and no lock blocks them. Only the owner of the function may replace it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_function_of_postgresql(table, "RETURN NULL"))
        yield
        cursor.execute(_function_of_postgresql(table, _refuse_on_postgresql(table)))


def refuse_always() -> RunPython:
    """Return the migration operation that lets no setting of a session turn off the triggers of existing tables.

    It changes one table at a time, so that it never holds the locks of two.
    """
    return RunPython(_refuse_always, RunPython.noop)


def _refuse_always(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgrelid::regclass, quote_ident(tgname) FROM pg_trigger "
                "WHERE tgname LIKE '%\\_is\\_append\\_only' AND tgenabled <> 'A' ORDER BY 1"
            )
            for table, trigger in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


class AppendOnly(Operation):
    """A migration operation that makes the model's table append-only.

    Args:
        model_name: the model in the migration's own context, such as `History`.
    """

    category = OperationCategory.SQL
    reduces_to_sql = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Do nothing: Django's migration state contains no triggers."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._run(protect, app_label, schema_editor, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._run(unprotect, app_label, schema_editor, to_state)

    def describe(self) -> str:
        return f"Refuse to change or delete rows of {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_is_append_only"

    def _run(self, statements: Any, app_label: str, schema_editor: Any, state: Any) -> None:
        model = state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            for statement in statements(model._meta.db_table, schema_editor.connection.vendor):
                schema_editor.execute(statement)


@always("events.history_is_append_only")
def history_is_append_only() -> Check:
    """The database refuses to change or delete rows of a history, in each of its partitions."""
    if connection.vendor == "postgresql":
        return _check_postgresql()
    return Check(
        rows=" UNION ALL ".join(_sqlite_triggers(table) for table in histories()).join(["(", ") AS history"]),
        what="history.name || ' can be changed: it lacks its triggers'",
        never={"a trigger is missing": "history.missing"},
    )


def histories() -> list[str]:
    """Return the names of all contexts' history tables."""
    return [model._meta.db_table for model in apps.get_models() if issubclass(model, HistoryEntry)]


def _check_postgresql() -> Check:
    tables = ", ".join(f"('{table}')" for table in histories())
    return Check(
        # A table without partitions is its own only relation here.
        rows=f"""
            (VALUES {tables}) AS history(name)
            CROSS JOIN LATERAL (
                SELECT history.name::regclass AS relid
                UNION SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = history.name::regclass
            ) AS part
            LEFT JOIN pg_trigger AS trigger
                ON trigger.tgrelid = part.relid AND trigger.tgname = history.name || '_is_append_only'
            LEFT JOIN pg_proc AS function ON function.oid = trigger.tgfoid
        """,  # noqa: S608 - names of the code only
        what="part.relid::text || ' can be changed: it lacks its triggers'",
        never={
            "a trigger is missing": "trigger.oid IS NULL",
            "a trigger is not enabled always": "coalesce(trigger.tgenabled <> 'A', FALSE)",
            "its function does not refuse": "coalesce(function.prosrc NOT LIKE '%RAISE EXCEPTION%', FALSE)",
        },
    )


def _sqlite_triggers(table: str) -> str:
    names = ", ".join(f"'{name}'" for name in _names(table))
    return f"""SELECT '{table}' AS name, count(*) <> {len(_names(table))} AS missing FROM sqlite_master
        WHERE type = 'trigger' AND tbl_name = '{table}' AND name IN ({names})"""  # noqa: S608 - names of the code only


def _protect_postgresql(table: str) -> list[str]:
    # A trigger for each statement, because a trigger for each row is not called by TRUNCATE.
    return [
        _function_of_postgresql(table, _refuse_on_postgresql(table)),
        f"""
        CREATE TRIGGER "{table}_is_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}"
        FOR EACH STATEMENT EXECUTE FUNCTION "{table}_is_append_only"()
        """,
        # Otherwise `session_replication_role = replica` turns it off for a session.
        f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER "{table}_is_append_only"',
    ]


def _function_of_postgresql(table: str, body: str) -> str:
    head = f'CREATE OR REPLACE FUNCTION "{table}_is_append_only"() RETURNS trigger LANGUAGE plpgsql'
    return f"{head} AS $$ BEGIN {body}; END $$"


def _refuse_on_postgresql(table: str) -> str:
    return f"RAISE EXCEPTION '{_refusal(table)}' USING ERRCODE = 'restrict_violation'"


def _protect_sqlite(table: str) -> list[str]:
    update, delete, replace = _names(table)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_refusal(table)}'); END"
    # INSERT OR REPLACE deletes conflicting rows without calling the triggers for DELETE.
    taken = (
        f'EXISTS (SELECT 1 FROM "{table}" WHERE id = NEW.id)'  # noqa: S608 - names of the code only
        f' OR EXISTS (SELECT 1 FROM "{table}" WHERE stream = NEW.stream'
        " AND stream_id = NEW.stream_id AND version = NEW.version)"
    )
    return [
        f'CREATE TRIGGER "{update}" BEFORE UPDATE ON "{table}" {refuse}',
        f'CREATE TRIGGER "{delete}" BEFORE DELETE ON "{table}" {refuse}',
        f'CREATE TRIGGER "{replace}" BEFORE INSERT ON "{table}" WHEN {taken} {refuse}',
    ]


def _names(table: str) -> tuple[str, ...]:
    """Return the names of SQLite's triggers. SQLite needs one for each kind of statement."""
    return tuple(f"{table}_refuses_{what}" for what in ("update", "delete", "replace"))


def _refusal(table: str) -> str:
    return f"{table} is append-only: what happened is not changed or deleted"
