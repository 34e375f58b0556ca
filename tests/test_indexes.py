"""No index duplicates another, because every index is written with every row. PostgreSQL's catalogue is the source."""

from collections import defaultdict
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from integration.storage.indexes import PATTERN_INDEXES

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="reads PostgreSQL's catalogue"),
]

PLAIN_INDEXES = """
    SELECT tables.relname, indexes.relname, indkey::int[]
    FROM pg_index JOIN pg_class AS indexes ON indexes.oid = indexrelid JOIN pg_class AS tables ON tables.oid = indrelid
    WHERE indpred IS NULL AND NOT 0 = ANY (indkey) AND tables.relname = ANY (%s)
"""


def _indexes(sql: str) -> list[tuple[Any, ...]]:
    labels = {"integration", "sandbox", *settings.CONTEXTS}
    tables = [model._meta.db_table for model in apps.get_models() if model._meta.app_label in labels]
    with connection.cursor() as cursor:
        cursor.execute(sql, [tables])
        return list(cursor.fetchall())


def test_no_index_exists_only_for_like_searches() -> None:
    assert _indexes(PATTERN_INDEXES) == []


def test_no_index_is_a_prefix_of_another() -> None:
    by_table: dict[str, list[tuple[str, list[int]]]] = defaultdict(list)
    for table, name, columns in _indexes(PLAIN_INDEXES):
        by_table[table].append((name, columns))
    assert by_table
    doubled = [
        f"{name} on {table} is a prefix of {other}"
        for table, indexes in by_table.items()
        for name, columns in indexes
        for other, more in indexes
        if name != other and more[: len(columns)] == columns
    ]
    assert doubled == []


@pytest.mark.django_db(transaction=True)
def test_the_migration_that_removes_indexes_can_be_reversed() -> None:
    def indexes() -> set[str]:
        with connection.cursor() as cursor:
            constraints = connection.introspection.get_constraints(cursor, "ordering_orderline")
        return {name for name, found in constraints.items() if found["columns"] == ["order_id"] and found["index"]}

    before, now = ("ordering", "0004_history_without_personal_data"), ("ordering", "0005_fewer_indexes")
    try:
        MigrationExecutor(connection).migrate([before])
        assert len(indexes()) == 1
        MigrationExecutor(connection).migrate([now])
        assert indexes() == set()
    finally:
        call_command("migrate", verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_an_index_for_like_is_dropped_by_the_next_migrate() -> None:
    with connection.cursor() as cursor:
        cursor.execute('CREATE INDEX made_anew_like ON "ordering_order" (number varchar_pattern_ops)')
        cursor.execute('CREATE INDEX asked_for ON "ordering_order" (number varchar_pattern_ops)')
    assert _indexes(PATTERN_INDEXES) == [("made_anew_like",)]

    call_command("migrate", verbosity=0)

    assert _indexes(PATTERN_INDEXES) == []
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX asked_for")  # fails if the migration had dropped this index as well
