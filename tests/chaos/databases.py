"""A database as it was, again and again: copied from a template, which takes milliseconds."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.core.management import call_command
from django.db import connection, connections

from integration.domain import clock


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
            self._sql(f'DROP DATABASE IF EXISTS "{self.template}" WITH (FORCE)')
            self._sql(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
            self._sql(f'CREATE DATABASE "{self.name}"')
        else:
            Path(self.name).unlink(missing_ok=True)
        call_command("migrate", verbosity=0)
        furnish()
        if connection.vendor == "postgresql":
            connections.close_all()
            self._sql(f'CREATE DATABASE "{self.template}" TEMPLATE "{self.name}"')
        else:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connections.close_all()
            shutil.copy(self.name, self.template)

    def restore(self) -> None:
        """Make the database what it was, and the clock as well."""
        connections.close_all()
        clock._offset = timedelta(0)
        if connection.vendor == "postgresql":
            self._sql(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
            self._sql(f'CREATE DATABASE "{self.name}" TEMPLATE "{self.template}" STRATEGY FILE_COPY')
        else:
            for beside in ("-wal", "-shm"):
                Path(self.name + beside).unlink(missing_ok=True)
            shutil.copy(self.template, self.name)

    def remove(self) -> None:
        """Leave nothing behind."""
        connections.close_all()
        if connection.vendor == "postgresql":
            self._sql(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
            self._sql(f'DROP DATABASE IF EXISTS "{self.template}" WITH (FORCE)')
        else:
            for path in (self.name, self.template):
                Path(path).unlink(missing_ok=True)

    def _sql(self, statement: str) -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(statement)
