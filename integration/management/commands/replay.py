"""`manage.py replay --consumer NAME --since MOMENT`: give a consumer that was added today the past."""

import time
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integration.messaging.consumers import Consumer, consumers
from integration.messaging.past import give_past, missed, waiting

MOST_WAITING = 1_000
"""As many deliveries of the consumer may wait at a time: others of its context come after those."""
PAUSE = 0.2


class Command(BaseCommand):
    """Makes deliveries of the past."""

    help = (
        "Give a consumer a delivery of every message of its contract since a moment, archived ones included, that it "
        "has none of. They are handled like any other. Doing it again does nothing twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--consumer", required=True, metavar="NAME", help="its wire name")
        parser.add_argument(
            "--since", required=True, type=moment, metavar="MOMENT", help="such as 2026-01-31 or 2026-01-31T09:00Z"
        )
        parser.add_argument("--until", type=moment, metavar="MOMENT", help="only messages before this moment")
        parser.add_argument("--dry-run", action="store_true", help="only say how many they are")
        parser.add_argument(
            "--even-external",
            "--even-outside",
            action="store_true",
            help="even if the consumer calls an external system",
        )
        parser.add_argument(
            "--timeout",
            "--patience",
            type=float,
            default=60,
            metavar="SECONDS",
            help="give up when nothing is handled for so long",
        )

    def handle(
        self,
        consumer: str,
        since: datetime,
        until: datetime | None,
        dry_run: bool,
        even_external: bool,
        timeout: float,
        **options: Any,
    ) -> None:
        listener = _consumer(consumer)
        if until and until <= since:
            raise CommandError("--until must be after --since.")
        if listener.external and not (even_external or dry_run):
            raise CommandError(
                f"{consumer} calls an external system, and would call it about events of the past. If that is what "
                "you want, add --even-external."
            )
        past = missed(listener, since, until)
        said = f"{past.messages:,} messages of {listener.listens_to.wire_name}, {past.archived:,} of them archived"
        if dry_run:
            self.stdout.write(f"{consumer} would be given {said}.")
            return
        self.stdout.write(f"{consumer} is given {said}.")
        given = give_past(listener, since, until, lambda given: self._make_room(listener, given, timeout))
        self.stdout.write(f"{given:,} given.")

    def _make_room(self, consumer: Consumer, given: int, timeout: float) -> None:
        """Wait until few enough of the consumer's deliveries are waiting."""
        before, since = waiting(consumer), time.monotonic()
        while before > MOST_WAITING:
            if time.monotonic() - since > timeout:
                raise CommandError(
                    f"{given:,} given, of which none was handled for {timeout:g} s. Is a worker running? Run this "
                    "again to go on from here."
                )
            time.sleep(PAUSE)
            if (now := waiting(consumer)) < before:
                before, since = now, time.monotonic()


def moment(text: str) -> datetime:
    """A moment as ISO 8601 writes it, in UTC unless it says otherwise; raises `ArgumentTypeError`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no moment, such as 2026-01-31 or 2026-01-31T09:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _consumer(name: str) -> Consumer:
    known = dict(consumers.items())
    if name not in known:
        raise CommandError(f"No consumer is named {name!r}. There are:\n  " + "\n  ".join(known))
    return known[name]
