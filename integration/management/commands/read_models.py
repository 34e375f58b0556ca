"""`manage.py read_models`: what there is to read from, and how late each is."""

from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table
from rich.text import Text

from integration.read_models.lag import Lag, lag

WIDTH_OF_A_FILE = 160


class Command(BaseCommand):
    """Lists the read models."""

    help = "For each read model: how many events it has not been shown yet, and for how long the oldest has waited."

    def handle(self, *args: Any, **options: Any) -> None:
        table = Table("Read model")
        for heading in ("Events behind", "Oldest waits for"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("Stands still because", overflow="fold")
        for each in lag():
            waits = f"{each.seconds:,.1f} s" if each.events else "–"
            table.add_row(Text(each.read_model), f"{each.events:,}", waits, Text(_trouble(each)))
        self.stdout.ending = ""  # rich ends its lines itself
        width = None if self.stdout.isatty() else WIDTH_OF_A_FILE
        Console(file=cast(TextIO, self.stdout), width=width).print(table)


def _trouble(of: Lag) -> str:
    return of.error or ("" if of.begun else "no worker has begun with it")
