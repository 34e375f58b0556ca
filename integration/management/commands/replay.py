"""`manage.py replay --consumer NAME --since MOMENT`: give a new consumer the messages of the past."""

import time
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integration.messaging.consumers import Consumer, consumers
from integration.messaging.past import give_past, missed, waiting

MOST_WAITING = 1_000
"""The most deliveries of the consumer that may be pending at a time."""
PAUSE = 0.2


class Command(BaseCommand):
    """Creates deliveries of past messages."""

    help = (
        "Give a consumer a delivery of every past message of its contract that it has not had, archived messages "
        "included. They are handled when nothing else is due. Running the command again creates no delivery twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--consumer", required=True, metavar="NAME", help="its wire name")
        parser.add_argument(
            "--since", required=True, type=moment, metavar="MOMENT", help="such as 2026-01-31 or 2026-01-31T09:00Z"
        )
        parser.add_argument("--until", type=moment, metavar="MOMENT", help="only messages before this moment")
        parser.add_argument("--dry-run", action="store_true", help="only count the messages")
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
            help="give up if no delivery is handled for this long (default: 60)",
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
                f"{consumer} calls an external system, and would call it about past events. If that is what "
                "you want, add --even-external."
            )
        past = missed(listener, since, until)
        summary = f"{past.messages:,} messages of {listener.listens_to.wire_name}, {past.archived:,} of them archived"
        if dry_run:
            self.stdout.write(f"{consumer} would be given {summary}.")
            return
        self.stdout.write(f"{consumer} is given {summary}.")
        given = give_past(listener, since, until, lambda given: self._wait_for_workers(listener, given, timeout))
        self.stdout.write(f"Deliveries created: {given:,}.")

    def _wait_for_workers(self, consumer: Consumer, given: int, timeout: float) -> None:
        """Wait until at most `MOST_WAITING` deliveries of the consumer are pending."""
        before, since = waiting(consumer), time.monotonic()
        while before > MOST_WAITING:
            if time.monotonic() - since > timeout:
                raise CommandError(
                    f"Deliveries created: {given:,}, but none was handled for {timeout:g} s. Is a worker running? Run "
                    "this command again to continue."
                )
            time.sleep(PAUSE)
            if (now := waiting(consumer)) < before:
                before, since = now, time.monotonic()


def moment(text: str) -> datetime:
    """Parse a moment in ISO 8601, in UTC unless it has an offset; raises `ArgumentTypeError`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a valid time; write it as 2026-01-31 or 2026-01-31T09:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _consumer(name: str) -> Consumer:
    known = dict(consumers.items())
    if name not in known:
        raise CommandError(f"No consumer is named {name!r}. There are:\n  " + "\n  ".join(known))
    return known[name]
