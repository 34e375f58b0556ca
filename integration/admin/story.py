"""The page of a story: its events as a tree of causes, its messages, and the status of their deliveries."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Prefetch, QuerySet

from integration.admin.causes import by, look_up_causes
from integration.admin.columns import exact_moment, link, sentence_of
from integration.admin.history import about
from integration.admin.relatives import of_story
from integration.history.entries import HistoryEntry
from integration.history.story import story
from integration.messaging.models import ArchivedMessage, Delivery, Message

LONGEST_PAGE = 1_000
"""The number of events, and of messages, that are shown. An order of 2,000 SKUs has more."""


def page_of_story(correlation_id: UUID) -> dict[str, Any]:
    """The template context of the page."""
    entries = story(correlation_id)
    look_up_causes(entries[:LONGEST_PAGE], entries)
    messages = Message.objects.filter(correlation_id=correlation_id)
    archived = ArchivedMessage.objects.filter(correlation_id=correlation_id)
    return {
        "title": "The whole story",
        "subtitle": correlation_id,
        "log_url": settings.LOGS.search_url.replace("{correlation_id}", str(correlation_id)),
        "aggregates": [
            (link(type(row), row.pk, str(row)), getattr(row, "status", "")) for row in of_story(correlation_id)
        ],
        "standing": _standing(correlation_id, archived),
        "events": [_event(depth, entry) for depth, entry in islice(by_cause(entries), LONGEST_PAGE)],
        "events_left_out": max(0, len(entries) - LONGEST_PAGE),
        "messages_sent": _messages(archived, messages),
        "messages_left_out": max(0, archived.count() + messages.count() - LONGEST_PAGE),
    }


def by_cause(entries: Sequence[HistoryEntry]) -> Iterator[tuple[int, HistoryEntry]]:
    """Order events depth first, so that each one comes after its cause.

    Yields:
        The depth and the event. An event has depth 0 if its cause is not among the entries.
    """
    ids = {entry.id for entry in entries}
    effects: dict[UUID | None, list[HistoryEntry]] = defaultdict(list)
    for entry in entries:
        effects[entry.causation_id if entry.causation_id in ids else None].append(entry)
    due = [(0, entry) for entry in reversed(effects[None])]
    while due:
        depth, entry = due.pop()
        yield depth, entry
        due += [(depth + 1, effect) for effect in reversed(effects[entry.id])]


def _event(depth: int, entry: HistoryEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "indent": "\N{EM SPACE}" * (2 * depth - 2) + " └ " if depth else "",
        "what": link(type(entry), entry.id, sentence_of(entry)),
        "context": entry.context,
        "about": about(entry),
        "at": exact_moment(entry.occurred_at, "milliseconds"),
        "by": by(entry),
    }


def _messages(archived: QuerySet[ArchivedMessage], messages: QuerySet[Message]) -> list[dict[str, Any]]:
    """The messages, oldest first. Archived messages were settled long ago, so they come first."""
    deliveries = Prefetch("deliveries", Delivery.objects.defer("traceback").order_by("pk"))
    old = archived.defer("data").order_by("pk")[:LONGEST_PAGE]
    shown = [_message(row, map(_archived, row.deliveries)) for row in old]
    rest = messages.defer("data").prefetch_related(deliveries).order_by("pk")[: LONGEST_PAGE - len(shown)]
    return shown + [_message(row, map(_delivery, row.deliveries.all())) for row in rest]


def _message(row: Message | ArchivedMessage, deliveries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {
        "what": link(type(row), row.id, row.name),
        "at": exact_moment(row.occurred_at, "milliseconds"),
        "deliveries": list(deliveries),
    }


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "consumer": link(Delivery, row.pk, row.consumer),
        "status": row.status,
        "attempts": row.attempts,
        "error": row.skip_reason or row.error,
        "moment": exact_moment(row.done_at or row.skipped_at or row.due_at, "milliseconds"),
    }


def _archived(row: Mapping[str, Any]) -> dict[str, Any]:
    settled_at = datetime.fromisoformat(row["done_at"] or row["skipped_at"])
    return {
        "consumer": row["consumer"],
        "status": row["status"],
        "attempts": row["attempts"],
        "error": row["skip_reason"] or row["error"],
        "moment": exact_moment(settled_at, "milliseconds"),
    }


def _standing(correlation_id: UUID, archived: QuerySet[ArchivedMessage]) -> str:
    """The number of the story's deliveries by status, such as `5 done, 1 dead`."""
    deliveries = Delivery.objects.filter(message__correlation_id=correlation_id)
    counts = Counter(deliveries.values_list("status", flat=True))
    counts.update(row["status"] for rows in archived.values_list("deliveries", flat=True) for row in rows)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
