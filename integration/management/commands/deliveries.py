"""`manage.py deliveries`: list the deliveries between the contexts, and replay or skip those that failed."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.text import Truncator
from rich.table import Table
from rich.text import Text

from integration.domain.errors import DomainError
from integration.management.listing import add_json_option, print_json, print_table
from integration.messaging.dead_letters import replay_one, skip_one
from integration.messaging.models import RETRYING, ConsumerState, Delivery, Status
from integration.messaging.replay_jobs import Selection, replay_now
from integration.messaging.standing import Standing, standings

ACTOR = "command line"
"""The actor recorded when this command skips a delivery; Waybill does not know which person runs the command."""


RETRYING_STATUS = "retrying"
"""The status by which deliveries are selected that have failed and will be tried again."""
LONGEST_ERROR = 100
"""The number of characters of an error that a table shows; `--json` shows all."""


class Command(BaseCommand):
    """Lists, replays and skips deliveries."""

    help = (
        "Without a verb: how many deliveries each consumer has pending (due now), waiting (all others: being handled, "
        "due later, or in the background), parked (those among them that this code does not know) and dead, how long "
        "the oldest has been due, and whether the consumer is paused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_json_option(parser)
        verbs = parser.add_subparsers(dest="verb", metavar="VERB")
        listing = verbs.add_parser("list", help="deliveries, newest first")
        _add_filters(listing)
        add_json_option(listing)
        listing.add_argument(
            "--limit", type=int, default=50, metavar="N", help="the most deliveries to list (default: 50)"
        )
        replaying = verbs.add_parser("replay", help="retry dead and pending deliveries now")
        replaying.add_argument(
            "ids", nargs="*", type=int, metavar="ID", help="replay these deliveries; if one cannot be replayed, none is"
        )
        _add_filters(replaying)
        replaying.add_argument("--all", action="store_true", help="replay all dead and pending deliveries")
        skipping = verbs.add_parser("skip", help="give up a failed delivery; this is final")
        skipping.add_argument("id", type=int, metavar="ID")
        skipping.add_argument("--reason", required=True, help="why it need not be handled")

    def handle(self, *args: Any, verb: str | None, **options: Any) -> None:
        try:
            match verb:
                case None:
                    self._count(**options)
                case "list":
                    self._list(**options)
                case "replay":
                    self._replay(**options)
                case "skip":
                    self._skip(**options)
        except DomainError as error:
            raise CommandError(error.detail) from error

    def _count(self, json: bool = False, **options: Any) -> None:
        if json:
            print_json(self, [_standing_as_data(row) for row in standings()])
        else:
            print_table(self, _table_of_standings(standings()))

    def _list(
        self,
        limit: int,
        status: str | None,
        consumer: str | None,
        error: str | None,
        json: bool = False,
        **options: Any,
    ) -> None:
        if limit < 1:
            raise CommandError("--limit must be 1 or more.")
        deliveries = _filtered(status, consumer, error).select_related("message").defer("traceback", "message__data")
        if json:
            print_json(self, [_delivery_as_data(delivery) for delivery in deliveries[:limit]])
        else:
            print_table(self, _table_of_deliveries(list(deliveries[:limit])))

    def _replay(
        self, ids: list[int], status: str | None, consumer: str | None, error: str | None, all: bool, **options: Any
    ) -> None:
        if (bool(ids), bool(status or consumer or error), all).count(True) != 1:
            raise CommandError("Specify IDs, or --status, --consumer and --error, or --all.")
        if ids:
            with transaction.atomic():
                replayed = len([replay_one(id) for id in dict.fromkeys(ids)])
        else:
            replayed = replay_now(Selection(status or "", consumer or "", error=error or ""), ACTOR).replayed
        self.stdout.write(f"Deliveries to retry now: {replayed:,}.")

    def _skip(self, id: int, reason: str, **options: Any) -> None:
        self.stdout.write(f"Skipped {skip_one(id, reason, ACTOR)}, for good.")


def _add_filters(parser: CommandParser) -> None:
    statuses = [*Status.values, RETRYING_STATUS]
    parser.add_argument(
        "--status", choices=statuses, help="only deliveries with this status; retrying: pending, after a failure"
    )
    parser.add_argument("--consumer", metavar="NAME", help="only deliveries of this consumer")
    parser.add_argument("--error", metavar="TEXT", help="only deliveries with this text in their error")


def _filtered(status: str | None, consumer: str | None, error: str | None) -> QuerySet[Delivery]:
    by_status = RETRYING if status == RETRYING_STATUS else Q(status=status) if status else Q()
    wanted = {"consumer": consumer, "error__contains": error}
    return Delivery.objects.filter(by_status, **{name: value for name, value in wanted.items() if value})


def _standing_as_data(row: Standing) -> dict[str, Any]:
    return {
        "consumer": row.name,
        "pending": row.backlog.pending,
        "waiting": row.backlog.waiting,
        "parked": row.backlog.parked,
        "dead": row.backlog.dead,
        "oldest_due_for": row.backlog.lag,
        "paused": paused_as_data(row.state),
    }


def _delivery_as_data(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.pk,
        "message": delivery.message.name,
        "message_id": delivery.message_id,
        "correlation_id": delivery.message.correlation_id,
        "consumer": delivery.consumer,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at,
        "error": delivery.error,
        "skip_reason": delivery.skip_reason,
    }


def _table_of_standings(rows: Iterable[Standing]) -> Table:
    table = Table("Consumer")
    for heading in ("Pending", "Waiting", "Parked", "Dead", "Oldest due for"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Paused", overflow="ellipsis")
    for row in rows:
        counts = (row.backlog.pending, row.backlog.waiting, row.backlog.parked, row.backlog.dead)
        lag = f"{row.backlog.lag:,.1f} s" if row.backlog.pending else "–"
        table.add_row(Text(row.name), *(f"{count:,}" for count in counts), lag, Text(paused_words(row.state)))
    return table


def paused_words(state: ConsumerState) -> str:
    """Since when, by whom and why a consumer is paused, or a dash."""
    if not state.paused_at:
        return "–"
    return f"since {state.paused_at:%Y-%m-%d %H:%M:%S} by {state.paused_by}: {state.reason}"


def paused_as_data(state: ConsumerState) -> dict[str, Any] | None:
    """Since when, by whom and why a consumer is paused; None if it is not paused."""
    return {"at": state.paused_at, "by": state.paused_by, "reason": state.reason} if state.paused_at else None


def _table_of_deliveries(deliveries: Sequence[Delivery]) -> Table:
    # `replay` and `skip` take the ID, so it has its full width on the narrowest terminal. The other columns wrap, the
    # widest first. A column that neither wraps nor is short would take their whole width.
    widest = max((len(str(delivery.pk)) for delivery in deliveries), default=0)
    table = Table()
    table.add_column("ID", no_wrap=True, min_width=widest)
    for heading in ("Message", "Consumer", "Status", "Attempts", "Due", "Error, or why it was skipped"):
        table.add_column(heading, overflow="fold")
    for delivery in deliveries:
        first_line = (delivery.skip_reason or delivery.error).partition("\n")[0]
        cells = (delivery.pk, delivery.message.name, delivery.consumer, delivery.status, delivery.attempts)
        due = f"{delivery.due_at:%Y-%m-%d %H:%M:%S}" if delivery.due_at else "–"
        table.add_row(*map(Text, map(str, cells)), due, Text(Truncator(first_line).chars(LONGEST_ERROR)))
    return table
