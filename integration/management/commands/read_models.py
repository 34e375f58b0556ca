"""`manage.py read_models`: list the read models and how far each is behind."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.table import Table
from rich.text import Text

from integration.management.listing import add_json_option, print_json, print_table
from integration.read_models.lag import Lag, lag


class Command(BaseCommand):
    """Lists the read models."""

    help = "For each read model, the number of events it does not show yet, and the age of the oldest of them."

    def add_arguments(self, parser: CommandParser) -> None:
        add_json_option(parser)

    def handle(self, *args: Any, json: bool = False, **options: Any) -> None:
        if json:
            print_json(self, [{**each._asdict(), "error": _why_stopped(each)} for each in lag()])
            return
        table = Table()
        table.add_column("Read model", overflow="fold")
        for heading in ("Events behind", "Age of the oldest"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("Stopped because", overflow="fold")
        for each in lag():
            age = f"{each.seconds:,.1f} s" if each.events else "–"
            table.add_row(Text(each.read_model), f"{each.events:,}", age, Text(_why_stopped(each)))
        print_table(self, table)


def _why_stopped(row: Lag) -> str:
    if row.error or row.own:
        return row.error
    return "no worker has started it yet" if row.build is None else "not stopped: this code builds its own rows"
