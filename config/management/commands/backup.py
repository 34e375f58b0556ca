"""`manage.py backup`: copy the embedded mode's database while it runs; `backup restore` puts a copy back."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from config.backup import NoBackup, back_up, restore


class Command(BaseCommand):
    """Makes and restores copies of a SQLite database."""

    help = "Copy the database of the embedded mode to a file while it runs, or restore such a copy."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the copy; it must not exist yet, unless it is restored")
        parser.add_argument(
            "--restore", action="store_true", help="put the copy in the place of the database; stop Waybill first"
        )

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if connection.vendor != "sqlite":
            raise CommandError("Only the embedded mode's database is a file. On PostgreSQL use pg_dump.")
        database = Path(connection.settings_dict["NAME"])
        connection.close()
        try:
            if not options["restore"]:
                size = back_up(database, file)
                self.stdout.write(f"{file} has {size:,} bytes, and is checked. Keep var/secret-key with it.")
                return
            before = restore(file, database)
        except NoBackup as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{database} is restored from {file}.")
        if before:
            self.stdout.write(f"The earlier one is {before}: delete it when you no longer need it.")
        self.stdout.write("Start Waybill, and run manage.py reconcile_payments.")
