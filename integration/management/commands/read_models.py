"""`manage.py read_models`: list the read models and how far each is behind."""

from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table
from rich.text import Text

from integration.read_models.lag import Lag, lag

WIDTH_OF_A_FILE = 160


class Command(BaseCommand):
    """Lists the read models."""

    help = "For each read model, the number of events it does not show yet, and the age of the oldest of them."

    def handle(self, *args: Any, **options: Any) -> None:
        table = Table("Read model")
        for heading in ("Events behind", "Age of the oldest"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("Stopped because", overflow="fold")
        for each in lag():
            age = f"{each.seconds:,.1f} s" if each.events else "–"
            table.add_row(Text(each.read_model), f"{each.events:,}", age, Text(_why_stopped(each)))
        self.stdout.ending = ""  # rich ends its lines itself
        width = None if self.stdout.isatty() else WIDTH_OF_A_FILE
        Console(file=cast(TextIO, self.stdout), width=width).print(table)


def _why_stopped(row: Lag) -> str:
    if row.error or row.own:
        return row.error
    return "no worker has started it yet" if row.build is None else "not stopped: this code builds its own rows"
