"""States of a database that are saved once and restored often: rows are put back, or a file is copied.

Both take milliseconds.
"""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from django.core.management import call_command
from django.db import connection, connections

from integration.domain import clock

END_ALL_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
"""The backend of a process that was killed may still hold locks."""


class Fresh:
    """The database of the settings, migrated and filled once, and restored to its saved states as often as wanted.

    Args:
        fill: fills the migrated database; what it makes is the state that is saved as `FILLED`.
    """

    FILLED = "filled"

    def __init__(self, fill: Callable[[], None]) -> None:
        self.name = str(connection.settings_dict["NAME"])
        if "crash" not in Path(self.name).name:
            raise SystemExit(f"{self.name} would be dropped: name a database with 'crash' in its name")
        self._moments: dict[str, datetime] = {}
        if connection.vendor == "postgresql":
            self._drop_and("CREATE DATABASE")
        else:
            Path(self.name).unlink(missing_ok=True)
            # A process is killed here, never the machine, so nothing depends on an fsync.
            connection.settings_dict["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
        call_command("migrate", verbosity=0)
        fill()
        self.save(self.FILLED)

    def save(self, state: str) -> None:
        """Save the database and the clock under a name, in place of what was saved under it before."""
        if connection.vendor == "postgresql":
            self._copy_rows(state)
        else:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connections.close_all()
            shutil.copy(self.name, f"{self.name}_{state}")
        self._moments[state] = clock.now()

    def restore(self, state: str = FILLED) -> None:
        """Make the database what it was when a state was saved, and the clock as well."""
        clock._offset = self._moments[state] - datetime.now(UTC)
        if connection.vendor == "postgresql":
            # This keeps a connection that is intact: a new one would plan every statement anew.
            connection.close_if_unusable_or_obsolete()
            with connection.cursor() as cursor:
                cursor.execute(f"{END_ALL_OTHERS}; SELECT {state}.put_back()")
        else:
            connections.close_all()
            self._remove_the_log()
            shutil.copy(f"{self.name}_{state}", self.name)

    def remove(self) -> None:
        """Drop the database and its saved states."""
        connections.close_all()
        if connection.vendor == "postgresql":
            self._drop_and("")
        else:
            self._remove_the_log()
            for path in (self.name, *(f"{self.name}_{state}" for state in self._moments)):
                Path(path).unlink(missing_ok=True)

    def _remove_the_log(self) -> None:
        """Delete the files that a killed process left next to the database."""
        for suffix in ("-wal", "-shm"):
            Path(self.name + suffix).unlink(missing_ok=True)

    def _drop_and(self, create: str) -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
            if create:
                cursor.execute(f'{create} "{self.name}"')

    def _copy_rows(self, state: str) -> None:
        """Copy all rows into a schema named after the state, and write a function there that puts them back.

        To drop a database and copy it from a template would wait for two checkpoints. PostgreSQL plans the statements
        of a function once for all restores.
        """
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            tables = [table for (table,) in cursor.fetchall()]
            cursor.execute("SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'public'")
            sequences = cursor.fetchall()
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {state}")
            for table in tables:
                copy = f'{state}."{table}"'
                cursor.execute(f'CREATE TABLE IF NOT EXISTS {copy} (LIKE public."{table}")')
                cursor.execute(f"DELETE FROM {copy}")  # noqa: S608 - the catalogue's own names
                cursor.execute(f'INSERT INTO {copy} TABLE public."{table}"')
            protected = [(table, f"{table}_is_append_only") for table in tables if table.endswith("_history")]
            put_back = [
                *(f'ALTER TABLE public."{table}" DISABLE TRIGGER "{trigger}";' for table, trigger in protected),
                *(f'DELETE FROM public."{table}";' for table in tables),  # noqa: S608 - the catalogue's own names
                *(f'INSERT INTO public."{table}" SELECT * FROM {state}."{table}";' for table in tables),  # noqa: S608
                *(
                    f"PERFORM setval('public.\"{name}\"', {max(last, 1)}, {'true' if last else 'false'});"
                    for name, last in sequences
                ),
                *(f'ALTER TABLE public."{table}" ENABLE ALWAYS TRIGGER "{trigger}";' for table, trigger in protected),
            ]
            # The role `replica` switches off the triggers that check foreign keys.
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {state}.put_back() RETURNS void LANGUAGE plpgsql"
                f" SET session_replication_role = replica AS $$ BEGIN {' '.join(put_back)} END $$"
            )
