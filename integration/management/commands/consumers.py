"""`manage.py consumers`: list the consumers with their retry schedules, and pause or resume one."""

from collections.abc import Iterable
from getpass import getuser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.table import Table
from rich.text import Text

from integration.domain.errors import DomainError
from integration.management.commands.deliveries import ACTOR, paused_as_data, paused_words
from integration.management.listing import add_json_option, print_json, print_table
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
        add_json_option(parser)
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
                    self._list(**options)
                case "pause":
                    pause(options["name"], options["reason"], actor)
                    self.stdout.write(f"{options['name']} is paused; its deliveries wait.")
                case "resume":
                    resume(options["name"], actor)
                    self.stdout.write(f"{options['name']} is resumed; its deliveries are handled again.")
        except DomainError as error:
            raise CommandError(error.detail) from error

    def _list(self, json: bool = False, **options: Any) -> None:
        if json:
            print_json(self, [_as_data(row) for row in standings()])
        else:
            print_table(self, _table(standings()))


def _as_data(row: Standing) -> dict[str, Any]:
    retries = row.consumer.retry_schedule if row.consumer else None
    return {
        "consumer": row.name,
        "contract": row.consumer.listens_to.wire_name if row.consumer else None,
        "attempts": retries.attempts if retries else None,
        "longest_wait": retries.longest_wait if retries else None,
        "gives_up_after": retries.lasts if retries else None,
        "paused": paused_as_data(row.state),
    }


def _table(rows: Iterable[Standing]) -> Table:
    table = Table()
    for heading in ("Consumer", "Contract"):
        table.add_column(heading, overflow="fold")
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
