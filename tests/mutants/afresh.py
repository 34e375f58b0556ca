"""Tries a mutant in a process that has imported nothing of Waybill yet."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.running import SLOW, Runner, first_failing


class Afresh(Runner):
    """Runs what `make check` checks, and then the named tests, until something fails.

    Args:
        names: the tests.
        database: a copy of an SQLite database that was created without the mutant. None is the PostgreSQL that
            DATABASE_URL names; then the tests for PostgreSQL only, in the same files, run first.
        seconds, late: see `first_failing`.
    """

    def __init__(
        self, names: list[str], database: Path | None, seconds: Callable[[str], float], late: Callable[[str], Any]
    ) -> None:
        self.slow = SLOW if database else SLOW - {"postgres"}
        self.names, self.database, self.seconds, self.late, self.by = names, database, seconds, late, ""

    def pytest_collection(self) -> bool | None:
        """Run the checks, which take less time than to collect the tests. Collect nothing if one of them fails."""
        self.by = _failing_check()
        return True if self.by else None

    def run(self, items: list[pytest.Item], not_collected: int) -> None:
        if not_collected:
            self.by = "collecting the tests"
        elif not self.by:
            by_name = {item.nodeid: item for item in items}
            if self.database:
                _restore_instead_of_migrating(self.database)
            only_here = [name for name in by_name if by_name[name].get_closest_marker("postgres")]
            wanted = dict.fromkeys(name for name in [*only_here, *self.names] if name in by_name)
            self.by = first_failing([by_name[name] for name in wanted], self.seconds, self.late)


def _failing_check() -> str:
    """The first check of `make check` about the running code that fails in this process; empty if all pass."""
    from django.core.management import CommandError, call_command

    for command in ("check", "contracts check"):
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                call_command(*command.split())
        except CommandError:
            return f"manage.py {command}"
    return _unmigrated()


def _unmigrated() -> str:
    """What `manage.py makemigrations --check` finds, which would use the database; empty if that is nothing."""
    from django.apps import apps
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.state import ProjectState

    loader = MigrationLoader(None)
    changes = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps)).changes(loader.graph)
    return f"manage.py makemigrations --check: {', '.join(sorted(changes))}" if changes else ""


def _restore_instead_of_migrating(copy: Path) -> None:
    from django.db import connection

    from config.management.commands.migrate import Command

    def restore(*_: Any, **options: Any) -> None:
        connection.ensure_connection()
        with closing(sqlite3.connect(":memory:")) as source:
            source.deserialize(copy.read_bytes())
            source.backup(connection.connection)

    Command.handle = restore  # type: ignore[method-assign]
