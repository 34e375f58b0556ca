"""`manage.py history Order R-1001`: show an aggregate's history, or its state at a moment or a version."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware
from rich.table import Table
from rich.text import Text

from integration.aggregates import past
from integration.aggregates.aggregate import Aggregate
from integration.aggregates.biography import Step, life
from integration.aggregates.rebuild import kind_named
from integration.aggregates.snapshots import state_of
from integration.domain.errors import NotFound
from integration.domain.naming import UnknownName
from integration.domain.versions import Facts
from integration.history.entries import history_of
from integration.history.shown import last_erasure, shown_facts
from integration.management.listing import print_json, print_table


class Command(BaseCommand):
    """Shows an aggregate's history or a past state."""

    help = (
        "Show the history of an aggregate: one line for each event, with what it changed. With --at or --version, show "
        "the state of the aggregate at that point."
    )

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        # This --version replaces Django's option of the same name, which shows the version of Django.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", metavar="KIND", help="such as Order, StockItem or stock_item")
        parser.add_argument("key", metavar="KEY", help="such as R-1001")
        then = parser.add_mutually_exclusive_group()
        then.add_argument(
            "--at",
            metavar="MOMENT",
            help="the state at this time, such as 2026-03-01T12:00:00Z; UTC unless it has an offset",
        )
        then.add_argument("--version", type=int, metavar="N", help="the state after the Nth event")
        parser.add_argument(
            "--last", type=int, default=200, metavar="N", help="show the last N events (default: 200; 0: all)"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(
        self, *, kind: str, key: str, at: str | None, version: int | None, last: int, json: bool, **options: Any
    ) -> None:
        if last < 0:
            raise CommandError("--last must be 0 or more.")
        try:
            model = kind_named(kind)
            if at is None and version is None:
                self._show_history(model, key, last, json)
            else:
                self._show_state(model, key, at, version, json)
        except NotFound as error:
            raise CommandError(error.detail) from error
        except (UnknownName, msgspec.ValidationError) as error:
            raise CommandError(f"This code cannot read the whole history: {error}.") from error

    def _show_state(self, model: type[Aggregate], key: str, at: str | None, version: int | None, as_json: bool) -> None:
        then = past.as_of(model, key, _moment(at)) if at is not None else past.at_version(model, key, version or 0)
        if then is None:
            when = f"at {at}" if at is not None else f"in version {version}"
            raise CommandError(f"There was no {model._meta.verbose_name} {key} {when}.")
        print_json(self, state_of(then)) if as_json else print_table(self, _table_of_state(state_of(then)))

    def _show_history(self, model: type[Aggregate], key: str, last: int, as_json: bool) -> None:
        version = model.objects.values_list("version", flat=True).filter(pk=key).first()
        if version is None:
            raise CommandError(f"There is no {model._meta.verbose_name} {key}.")
        first = max(1, version - last + 1) if last else 1
        erased = last_erasure(history_of(model._meta.app_label), model.stream, key)
        # Who can run this command can read the database, so it shows personal values.
        steps = (
            (step, shown_facts(step.entry, may_see=True, is_erased=step.entry.version < erased))
            for step in life(model, key, first)
        )
        if as_json:
            print_json(self, [_as_data(*step) for step in steps])
            return
        print_table(self, _table_of_history(steps))
        if first > 1:
            self.stdout.write(f"{first - 1:,} earlier events are not shown; --last 0 shows all.\n")


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text) or _midnight(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{text} is not a valid time: write it as 2026-03-01T12:00:00Z.")
    return make_aware(moment) if is_naive(moment) else moment


def _midnight(text: str) -> datetime | None:
    day = parse_date(text)
    return datetime(day.year, day.month, day.day) if day else None  # noqa: DTZ001 - made aware where it is used


def _as_data(step: Step, facts: Facts) -> dict[str, Any]:
    entry = step.entry
    return {
        "version": entry.version,
        "occurred_at": entry.occurred_at.isoformat(),
        "event": entry.name,
        "data": facts,
        "actor": entry.actor,
        "event_id": str(entry.id),
        "correlation_id": str(entry.correlation_id),
        "causation_id": str(entry.causation_id) if entry.causation_id else None,
        "changes": {name: {"before": before, "after": after} for name, (before, after) in step.changes.items()},
    }


def _table_of_history(steps: Iterable[tuple[Step, Facts]]) -> Table:
    table = Table()
    for heading in ("Version", "When", "Event", "By"):
        table.add_column(heading, no_wrap=True)
    for heading in ("Facts", "What it changed"):
        table.add_column(heading, overflow="fold")
    for step, shown in steps:
        entry = step.entry
        facts = "\n".join(f"{name}: {_short(value)}" for name, value in shown.items())
        changes = "\n".join(_change(name, *values) for name, values in step.changes.items())
        when = f"{entry.occurred_at:%Y-%m-%d %H:%M:%S.%f}"
        table.add_row(*map(Text, (str(entry.version), when, entry.name, entry.actor, facts, changes)))
    return table


def _table_of_state(state: dict[str, Any]) -> Table:
    table = Table("What", "Then")
    for name, value in state.items():
        table.add_row(Text(name), Text(_short(value)))
    return table


def _change(name: str, before: Any, after: Any) -> str:
    if isinstance(after, list) and isinstance(before, list | None):
        return f"{name}: {len(before or [])} → {len(after)}" if len(before or []) != len(after) else f"{name}: changed"
    return f"{name}: {_short(after)}" if before is None else f"{name}: {_short(before)} → {_short(after)}"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(map(_short, value)) if len(value) <= 5 else f"{len(value)} items"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
