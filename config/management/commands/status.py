"""`manage.py status`: how the system is right now; exits with 1 if something needs a person."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from config.status import SystemStatus, system_status
from integration.domain import clock
from integration.management.listing import WIDTH_OF_A_FILE, add_json_option, print_json

REFRESH = 2.0
"""Seconds between two looks of the live view."""


class Command(BaseCommand):
    """Shows the status of the system."""

    help = "Orders by state, what waits, what is late, dead and paused. Exits with 1 if something needs a person."

    def add_arguments(self, parser: CommandParser) -> None:
        add_json_option(parser)
        parser.add_argument("--live", action="store_true", help="show it again and again, until Ctrl-C")

    def handle(self, *args: Any, live: bool, json: bool = False, **options: Any) -> None:
        if live:
            self._live()
            return
        status = system_status()
        if json:
            print_json(self, status.as_data())
        else:
            width = None if self.stdout.isatty() else WIDTH_OF_A_FILE
            console = Console(file=self.stdout, width=width)  # type: ignore[arg-type]  # it writes as a file does
            self.stdout.ending = ""
            console.print(_shown(status, None))
        if status.complaints:
            sys.exit(1)

    def _live(self) -> None:
        before: SystemStatus | None = None
        try:
            with Live(auto_refresh=False, screen=True) as view:
                while True:
                    status = system_status()
                    view.update(_shown(status, before), refresh=True)
                    before = status
                    clock.pause(REFRESH)
        except KeyboardInterrupt:
            return


def _shown(status: SystemStatus, before: SystemStatus | None) -> Group:
    """The tables; only consumers with something that waits.

    Args:
        status: what to show.
        before: the status `REFRESH` seconds ago, for the orders that have changed since.
    """
    orders = Table("Orders", title_justify="left")
    for state in status.orders:
        orders.add_column(state, justify="right")
    changes = [number - before.orders[state] if before else 0 for state, number in status.orders.items()]
    cells = [
        f"{number:,}{f' ({change:+,})' if change else ''}"
        for number, change in zip(status.orders.values(), changes, strict=True)
    ]
    orders.add_row("", *cells)
    consumers = Table("Consumer")
    for heading in ("Due", "Waiting", "Dead", "Oldest", "Paused"):
        consumers.add_column(heading, justify="right", no_wrap=True)
    for each in status.consumers:
        counts = (each.backlog.pending, each.backlog.waiting, each.backlog.dead)
        if any(counts) or each.state.is_paused:
            paused = "paused" if each.state.is_paused else "–"
            consumers.add_row(Text(each.name), *(f"{count:,}" for count in counts), f"{each.oldest:,.1f} s", paused)
    models = Table("Read model")
    for heading in ("Events behind", "Oldest"):
        models.add_column(heading, justify="right", no_wrap=True)
    for model in status.read_models:
        models.add_row(Text(model.read_model), f"{model.events:,}", f"{model.seconds:,.1f} s")
    swept = "no sweep yet" if status.swept is None else f"last sweep {status.swept:,.0f} s ago"
    line = Text(f"{swept}; payments with an unknown outcome: {status.unknown:,}")
    needs = [Text(f"! {sentence}", style="bold red") for sentence in status.complaints] or [Text("All is well.")]
    return Group(orders, consumers, models, line, *needs)
