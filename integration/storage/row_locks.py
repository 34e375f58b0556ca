"""Locks on several rows: taken in the order of their keys, or only on rows that nobody has locked.

Either way two transactions that lock the same rows do not deadlock. An UPDATE of several rows locks them in the order
of its plan, so lock them first.
"""

from collections.abc import Collection
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

from integration.storage.sql import is_postgresql

M = TypeVar("M", bound=Model)


def lock_in_order(rows: QuerySet[Any], *fields: str) -> Collection[Any]:
    """Lock these rows until the transaction ends, one after the other in the order of their keys; one query.

    Returns:
        The keys of the rows that still meet the query's conditions after the wait; with `fields`, tuples of the key and
        these fields.
    """
    return list(rows.order_by("pk").select_for_update().values_list("pk", *fields, flat=not fields))


def read_in_index_order() -> None:
    """Have the rest of this transaction read rows in the order of an index, and never sort them.

    For a search with a limit, in an index where thousands of rows match. PostgreSQL judges by statistics of an earlier
    moment. If it expects few rows, it reads all that match and sorts them, which takes a second for a million.
    """
    if is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('enable_sort', 'off', TRUE), set_config('enable_bitmapscan', 'off', TRUE)"
            )


def skipping_locked(rows: QuerySet[M]) -> QuerySet[M]:
    """Return a query that locks these rows, and leaves out those that another transaction has locked."""
    return rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
