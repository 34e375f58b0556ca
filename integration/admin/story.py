"""A story on one page: what happened, each event below the one that caused it, and what is still on its way."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Count, Prefetch

from integration.admin.columns import Shown, actor_link, exact_moment, link
from integration.admin.history import about, told
from integration.admin.relatives import of_story
from integration.domain.history import HistoryEntry, story
from integration.messaging.models import Delivery, Message

LONGEST_PAGE = 1_000
"""So many events, and so many messages, are shown; a delivery of 2,000 skus is a long story."""


def page_of_story(correlation_id: UUID) -> dict[str, Any]:
    """What the page shows of a story."""
    entries = story(correlation_id)
    messages = Message.objects.filter(correlation_id=correlation_id)
    return {
        "title": "The whole story",
        "subtitle": correlation_id,
        "aggregates": [(link(type(row), row.pk, str(row)), row.status) for row in of_story(correlation_id)],
        "standing": _standing(correlation_id),
        "events": [_event(depth, entry) for depth, entry in islice(by_cause(entries), LONGEST_PAGE)],
        "events_left_out": max(0, len(entries) - LONGEST_PAGE),
        "messages_sent": _messages(messages),
        "messages_left_out": max(0, messages.count() - LONGEST_PAGE),
    }


def by_cause(entries: Sequence[HistoryEntry]) -> Iterator[tuple[int, HistoryEntry]]:
    """Each event below the one that caused it, with how deep it lies; what nothing here caused lies at 0."""
    known = {entry.id for entry in entries}
    effects: dict[UUID | None, list[HistoryEntry]] = defaultdict(list)
    for entry in entries:
        effects[entry.causation_id if entry.causation_id in known else None].append(entry)
    due = [(0, entry) for entry in reversed(effects[None])]
    while due:
        depth, entry = due.pop()
        yield depth, entry
        due += [(depth + 1, effect) for effect in reversed(effects[entry.id])]


def _event(depth: int, entry: HistoryEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "indent": "\N{EM SPACE}" * (2 * depth - 2) + " └ " if depth else "",
        "what": link(type(entry), entry.id, told(entry)),
        "context": entry.context,
        "about": about(entry),
        "at": exact_moment(entry.occurred_at, "milliseconds"),
        "actor": actor_link(entry.actor),
    }


def _messages(messages: Any) -> list[dict[str, Any]]:
    deliveries = Prefetch("deliveries", Delivery.objects.defer("traceback").order_by("pk"))
    shown = messages.defer("data").prefetch_related(deliveries).order_by("pk")[:LONGEST_PAGE]
    return [
        {
            "what": link(Message, message.id, message.name),
            "at": exact_moment(message.occurred_at, "milliseconds"),
            "deliveries": [
                {
                    "consumer": link(Delivery, delivery.pk, delivery.consumer),
                    "status": delivery.status,
                    "attempts": delivery.attempts,
                    "error": delivery.error,
                    "moment": _moment(delivery),
                }
                for delivery in message.deliveries.all()
            ],
        }
        for message in shown
    ]


def _moment(delivery: Delivery) -> Shown:
    return exact_moment(delivery.done_at or delivery.due_at, "milliseconds")


def _standing(correlation_id: UUID) -> str:
    """How many of the story's deliveries are done, pending and dead."""
    deliveries = Delivery.objects.filter(message__correlation_id=correlation_id).order_by("status")
    counts = deliveries.values_list("status").annotate(Count("pk"))
    return ", ".join(f"{count} {status}" for status, count in counts)
