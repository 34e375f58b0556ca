"""A story as a sequence diagram: who sent what to whom, with everybody else as "external"."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Prefetch
from django.utils.timezone import localtime

from integration.admin.columns import link, sentence_of
from integration.admin.viewer import name_of
from integration.history.entries import HistoryEntry
from integration.messaging.models import ArchivedMessage, Delivery, Message, Status

EXTERNAL = "external"
MOST_ARROWS = 500
"""The number of arrows, and of messages, that a page shows."""
ONE_COMMAND = timedelta(milliseconds=200)
"""Steps of one actor in one context that are closer than this come from one command."""
WORST_FIRST = (Status.DEAD, Status.PENDING, Status.SKIPPED, Status.DONE)


class _Arrow(NamedTuple):
    at: Any
    start: str
    end: str
    text: Any
    status: str


def sequence(correlation_id: UUID, entries: Sequence[HistoryEntry]) -> dict[str, Any]:
    """The participants and the arrows between them, oldest first; three queries.

    Args:
        entries: the steps of the story that the reader may see. Those without a cause came from external parties.
    """
    arrows = [*_from_external(entries), *_messages(correlation_id)]
    arrows.sort(key=lambda arrow: arrow.at)
    named = {name for arrow in arrows for name in (arrow.start, arrow.end)}
    columns = [name for name in (EXTERNAL, *settings.CONTEXTS, "integration") if name in named]
    return {
        "columns": columns,
        "arrows": [_cells(arrow, columns) for arrow in arrows[:MOST_ARROWS]],
        "left_out": max(0, len(arrows) - MOST_ARROWS),
    }


def _from_external(entries: Sequence[HistoryEntry]) -> Iterator[_Arrow]:
    """The first step of each command that came from a person, a provider or a carrier."""
    last: tuple[str, str, datetime] | None = None
    for entry in entries:
        if not entry.causation_id and entry.actor != "system":
            if last is None or last[:2] != (entry.actor, entry.context) or entry.occurred_at - last[2] > ONE_COMMAND:
                text = f"{name_of(entry.actor)}: {sentence_of(entry)}"
                yield _Arrow(entry.occurred_at, EXTERNAL, entry.context, text, "")
            last = (entry.actor, entry.context, entry.occurred_at)


def _messages(correlation_id: UUID) -> Iterator[_Arrow]:
    deliveries = Prefetch("deliveries", Delivery.objects.defer("traceback", "error").order_by("pk"))
    archived = ArchivedMessage.objects.filter(correlation_id=correlation_id).defer("data").order_by("pk")
    recent = Message.objects.filter(correlation_id=correlation_id).defer("data").prefetch_related(deliveries)
    for old in archived[:MOST_ARROWS]:
        yield from _arrows(old, [(row["consumer"], row["status"], False) for row in old.deliveries])
    for message in recent.order_by("pk")[:MOST_ARROWS]:
        rows = [(row.consumer, row.status, row.external) for row in message.deliveries.all()]
        yield from _arrows(message, rows)


def _arrows(message: Message | ArchivedMessage, deliveries: Sequence[tuple[str, str, bool]]) -> Iterator[_Arrow]:
    """An arrow to each context that a message went to, with the status of the delivery that fared worst there."""
    by_context: Mapping[str, list[str]] = defaultdict(list)
    for consumer, status, _ in deliveries:
        by_context[consumer.partition(".")[0]].append(status)
    text = link(type(message), message.id, message.name)
    for context, statuses in by_context.items():
        worst = min(statuses, key=WORST_FIRST.index)
        yield _Arrow(message.occurred_at, message.name.partition(".")[0], context, text, worst)
    for consumer, status, external in deliveries:
        if external:
            yield _Arrow(message.occurred_at, consumer.partition(".")[0], EXTERNAL, consumer, status)


def _cells(arrow: _Arrow, columns: Sequence[str]) -> dict[str, Any]:
    """Where an arrow is in the table: the empty cells before and after it, and how many columns it spans."""
    start, end = columns.index(arrow.start), columns.index(arrow.end)
    first, last = min(start, end), max(start, end)
    return {
        "at": localtime(arrow.at).time().isoformat("milliseconds"),
        "day": localtime(arrow.at).date(),
        "before": range(first),
        "span": last - first + 1,
        "after": range(len(columns) - 1 - last),
        "direction": "here" if start == end else "right" if end > start else "left",
        "start": arrow.start,
        "end": arrow.end,
        "text": arrow.text,
        "status": arrow.status,
    }
