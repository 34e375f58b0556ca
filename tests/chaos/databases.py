"""A database as it was, again and again: its rows put back, or its file copied, which takes milliseconds."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.core.management import call_command
from django.db import connection, connections

from integration.domain import clock

END_ALL_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
"""Whoever was killed may still hold locks."""


class Fresh:
    """The database of the settings, migrated and furnished once, and restored to that as often as wanted.

    Args:
        furnish: fills the migrated database.
    """

    def __init__(self, furnish: Callable[[], None]) -> None:
        self.name = str(connection.settings_dict["NAME"])
        if "crash" not in Path(self.name).name:
            raise SystemExit(f"{self.name} would be dropped: name a database with 'crash' in its name")
        self.template = f"{self.name}_template"
        if connection.vendor == "postgresql":
            self._drop_and("CREATE DATABASE")
        else:
            Path(self.name).unlink(missing_ok=True)
            # What is killed is a process, never the machine: nothing hangs on what the disk has taken.
            connection.settings_dict["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
        call_command("migrate", verbosity=0)
        furnish()
        if connection.vendor == "postgresql":
            self._keep_rows()
        else:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connections.close_all()
            shutil.copy(self.name, self.template)

    def restore(self) -> None:
        """Make the database what it was, and the clock as well."""
        clock._offset = timedelta(0)
        if connection.vendor == "postgresql":
            # Our own connection is kept, as long as it is whole: a new one would plan every statement anew.
            connection.close_if_unusable_or_obsolete()
            with connection.cursor() as cursor:
                cursor.execute(f"{END_ALL_OTHERS}; SELECT pristine.put_back()")
        else:
            connections.close_all()
            self._forget_the_log()
            shutil.copy(self.template, self.name)

    def remove(self) -> None:
        """Leave nothing behind."""
        connections.close_all()
        if connection.vendor == "postgresql":
            self._drop_and("")
        else:
            self._forget_the_log()
            for path in (self.name, self.template):
                Path(path).unlink(missing_ok=True)

    def _forget_the_log(self) -> None:
        """Take away what a process that was killed has left beside the file."""
        for beside in ("-wal", "-shm"):
            Path(self.name + beside).unlink(missing_ok=True)

    def _drop_and(self, create: str) -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
            if create:
                cursor.execute(f'{create} "{self.name}"')

    def _keep_rows(self) -> None:
        """Copy all rows into a schema beside, and write a function there that puts them back.

        Dropping a database and copying it from a template would wait for two checkpoints; and in a function the
        statements are planned once for all restores.
        """
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            tables = [table for (table,) in cursor.fetchall()]
            cursor.execute("SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'public'")
            sequences = cursor.fetchall()
            cursor.execute("CREATE SCHEMA pristine")
            for table in tables:
                cursor.execute(f'CREATE TABLE pristine."{table}" AS TABLE public."{table}"')
            put_back = [
                *(f'DELETE FROM public."{table}";' for table in tables),  # noqa: S608 - the catalogue's own names
                *(f'INSERT INTO public."{table}" SELECT * FROM pristine."{table}";' for table in tables),  # noqa: S608
                *(
                    f"PERFORM setval('public.\"{name}\"', {max(last, 1)}, {'true' if last else 'false'});"
                    for name, last in sequences
                ),
            ]
            # What guards the rows is not to hinder us.
            cursor.execute(
                "CREATE FUNCTION pristine.put_back() RETURNS void LANGUAGE plpgsql"
                f" SET session_replication_role = replica AS $$ BEGIN {' '.join(put_back)} END $$"
            )
