"""Only one process at a time prepares an SQLite database: two first starts at once take turns."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from django.db import connection, transaction

from config.var import alone


@contextmanager
def prepare_alone() -> Iterator[None]:
    """Wait until no other process prepares the SQLite database.

    On PostgreSQL nothing waits. A transaction that holds a lock would block `CREATE INDEX CONCURRENTLY` for ever, and a
    pooler such as PgBouncer shares the locks of sessions. One process migrates a server; see operations.md.
    """
    if connection.vendor == "postgresql":
        yield
    else:
        in_memory = connection.is_in_memory_db()  # type: ignore[attr-defined]  # as SQLite's connection has
        with nullcontext() if in_memory else alone(Path(f"{connection.settings_dict['NAME']}.lock")):
            yield


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Migrate an SQLite database as a whole.

    Django records some migrations only after it has committed them. A process that is killed in between leaves a
    database that no start can migrate.
    """
    if connection.vendor == "postgresql":  # where a transaction would hold locks of all tables to its end
        yield
    else:
        with connection.constraint_checks_disabled(), transaction.atomic():  # the checks are made after each migration
            yield
