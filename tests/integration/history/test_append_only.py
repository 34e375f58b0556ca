"""The database refuses to change a history, even with SQL, until the table's owner removes the protection."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from integration.history.entries import HistoryEntry, HistoryIsAppendOnly, history_of
from ordering.commands import list_products
from ordering.models import History

HISTORIES = [model._meta.db_table for model in apps.get_models() if issubclass(model, HistoryEntry)]
SAME_ID = "SELECT * FROM {table} LIMIT 1"
SAME_VERSION = (
    "SELECT %s, stream, stream_id, version, 'x.y', schema_version, data, occurred_at, correlation_id, causation_id,"
    " actor, traceparent FROM {table} LIMIT 1"
)


@pytest.fixture
def all_contexts_have_events(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    """An order was placed and handled; histories in which it leaves no row get a copy of one of its rows."""
    placed()
    drain()
    columns = ", ".join(field.column for field in History._meta.concrete_fields)
    for table in HISTORIES:
        if not rows(table):
            with connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM ordering_history LIMIT 1")  # noqa: S608


def rows(table: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608
        return cursor.fetchall()


def refused(sql: str, parameters: list[Any] | None = None) -> None:
    """Assert that the database refuses a statement because the history is append-only."""
    with (
        pytest.raises(IntegrityError, match="is append-only: what happened is not changed or deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql, parameters)


def test_every_context_has_a_history() -> None:
    assert sorted(HISTORIES) == sorted(f"{context}_history" for context in settings.CONTEXTS)


@pytest.mark.usefixtures("all_contexts_have_events")
@pytest.mark.parametrize("table", HISTORIES)
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE {table} SET actor = 'nobody'",
        "UPDATE {table} SET version = version + 1 WHERE id = (SELECT id FROM {table} LIMIT 1)",
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE id = (SELECT id FROM {table} LIMIT 1)",
        f"INSERT INTO {{table}} {SAME_ID} ON CONFLICT (id) DO UPDATE SET actor = 'nobody'",
    ],
)
def test_the_database_refuses_updates_and_deletes(table: str, sql: str) -> None:
    before = rows(table)
    refused(sql.format(table=table))
    assert rows(table) == before != []


@pytest.mark.usefixtures("all_contexts_have_events")
@pytest.mark.parametrize("table", HISTORIES)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has INSERT OR REPLACE")
@pytest.mark.parametrize(("select", "parameters"), [(SAME_ID, []), (SAME_VERSION, [uuid4().hex])])
def test_sqlite_refuses_to_replace_a_row(table: str, select: str, parameters: list[Any]) -> None:
    before = rows(table)
    refused(f"INSERT OR REPLACE INTO {table} {select.format(table=table)}", parameters)
    assert rows(table) == before


@pytest.mark.usefixtures("all_contexts_have_events")
@pytest.mark.parametrize("table", HISTORIES)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
def test_postgresql_refuses_truncate(table: str) -> None:
    refused(f"TRUNCATE {table}")


@pytest.mark.usefixtures("all_contexts_have_events", "unprotected_history")
def test_the_owner_of_the_table_may_remove_the_protection() -> None:
    assert History.objects.filter(name="ordering.order_placed").update(actor="nobody") == 1
    assert History.objects.get(name="ordering.order_placed").actor == "nobody"


def test_the_orm_refuses_to_save_or_delete_an_entry(placed: Callable[..., OrderNumber]) -> None:
    placed()
    entry = history_of("ordering").objects.first()
    with pytest.raises(HistoryIsAppendOnly):
        entry.save()
    with pytest.raises(HistoryIsAppendOnly):
        entry.delete()


@pytest.mark.django_db(transaction=True)
def test_the_migration_is_reversible() -> None:
    list_products([(Sku("MUG"), "Mug", "", Money("1", "USD"))])
    call_command("migrate", "ordering", "0001", verbosity=0)
    try:
        assert History.objects.update(actor="nobody") == 1
    finally:
        call_command("migrate", verbosity=0)
    refused("UPDATE ordering_history SET actor = 'nobody'")
