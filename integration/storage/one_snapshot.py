"""Several queries that see one moment of the database, and block nobody who writes meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from integration.storage.sql import is_postgresql


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let all queries inside the block see what was committed before the first of them; the block only reads.

    While the block lasts, PostgreSQL removes no row version that others delete, and SQLite's write-ahead log grows. So
    keep it short. Inside a transaction the block joins it, and sees what its isolation shows.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
    elif is_postgresql():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        # Not `atomic()`, which begins with the lock of the one writer. This begins without any lock.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
