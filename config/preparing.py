"""Only one process at a time prepares a database: two first starts at once take turns."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from django.db import connection, transaction

from config.var import alone

LOCK = 0x7761_7962_696C_6C
"""The number of the advisory lock: the bytes of the name Waybill."""


@contextmanager
def prepare_alone() -> Iterator[None]:
    """Wait until no other process prepares the database.

    On PostgreSQL a transaction of its own holds the lock, as a pooler needs it that gives every transaction another
    connection.
    """
    if connection.vendor == "postgresql":
        with closing(connection.copy()) as own:
            own.set_autocommit(False)
            with own.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
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
