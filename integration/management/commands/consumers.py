"""`manage.py consumers`: list the consumers with their retry schedules, and pause or resume one."""

from collections.abc import Iterable
from getpass import getuser
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table
from rich.text import Text

from integration.domain.errors import DomainError
from integration.management.commands.deliveries import ACTOR, WIDTH_OF_A_FILE, paused_words
from integration.messaging.consumer_states import pause, resume
from integration.messaging.retries import duration_words
from integration.messaging.standing import Standing, standings


class Command(BaseCommand):
    """Lists, pauses and resumes consumers."""

    help = (
        "Without a verb: the consumers with their retry schedules, and who paused them. A paused consumer's deliveries "
        "wait, without using up attempts."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="VERB")
        pausing = verbs.add_parser("pause", help="let the deliveries of a consumer wait until it is resumed")
        pausing.add_argument("name", metavar="NAME")
        pausing.add_argument("--reason", required=True, help="why they are to wait")
        resuming = verbs.add_parser("resume", help="let the deliveries of a paused consumer be handled again")
        resuming.add_argument("name", metavar="NAME")

    def handle(self, *args: Any, verb: str | None, **options: Any) -> None:
        actor = f"{ACTOR} ({getuser()})"[:80]
        try:
            match verb:
                case None:
                    self._print(_table(standings()))
                case "pause":
                    pause(options["name"], options["reason"], actor)
                    self.stdout.write(f"{options['name']} is paused; its deliveries wait.")
                case "resume":
                    resume(options["name"], actor)
                    self.stdout.write(f"{options['name']} is resumed; its deliveries are handled again.")
        except DomainError as error:
            raise CommandError(error.detail) from error

    def _print(self, table: Table) -> None:
        self.stdout.ending = ""  # rich ends its lines itself
        width = None if self.stdout.isatty() else WIDTH_OF_A_FILE
        Console(file=cast(TextIO, self.stdout), width=width).print(table)


def _table(rows: Iterable[Standing]) -> Table:
    table = Table("Consumer", "Contract")
    for heading in ("Attempts", "Longest wait", "Gives up after"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Paused", overflow="ellipsis")
    for row in rows:
        schedule: tuple[str, ...] = ("unknown", "–", "–", "–")
        if row.consumer:
            retries = row.consumer.retry_schedule
            times = (duration_words(retries.longest_wait), duration_words(retries.lasts))
            schedule = (row.consumer.listens_to.wire_name, str(retries.attempts), *times)
        table.add_row(Text(row.name), *schedule, Text(paused_words(row.state)))
    return table
