"""A story is all domain events with one correlation id, from all contexts, each after its cause."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from uuid import UUID

from django.apps import apps

from integration.history.entries import HistoryEntry
from integration.history.personal_data import load_personal


def story(correlation_id: UUID) -> list[HistoryEntry]:
    """Return every domain event of a story, each after its cause.

    This takes one query per context, and one for personal data.
    """
    tables = [model for model in apps.get_models() if issubclass(model, HistoryEntry)]
    entries = [entry for table in tables for entry in table.objects.filter(correlation_id=correlation_id)]
    return in_order(load_personal(entries))


def is_story(correlation_id: UUID) -> bool:
    """Whether a story has an event; one query per context until one has."""
    tables = [model for model in apps.get_models() if issubclass(model, HistoryEntry)]
    return any(table.objects.filter(correlation_id=correlation_id).exists() for table in tables)


def stories(correlation_ids: Sequence[UUID]) -> dict[UUID, list[HistoryEntry]]:
    """Return every domain event of several stories, by story; as many queries as `story` takes for one."""
    tables = [model for model in apps.get_models() if issubclass(model, HistoryEntry)]
    entries = [entry for table in tables for entry in table.objects.filter(correlation_id__in=correlation_ids)]
    found: dict[UUID, list[HistoryEntry]] = {id: [] for id in correlation_ids}
    for entry in load_personal(entries):
        found[entry.correlation_id].append(entry)
    return {id: in_order(unordered) for id, unordered in found.items()}


def in_order(unordered: Iterable[HistoryEntry]) -> list[HistoryEntry]:
    """Return the entries oldest first, but each after its cause, and each aggregate's events by version.

    Event ids sort by the clock of the machine that made them, and clocks of two machines differ. So the time of an
    event decides only between events of which neither led to the other.
    """
    entries = {entry.id: entry for entry in unordered}
    versions = {(entry.stream, entry.stream_id, entry.version): entry.id for entry in entries.values()}
    graph: TopologicalSorter[UUID] = TopologicalSorter()
    for entry in entries.values():
        predecessors = (entry.causation_id, versions.get((entry.stream, entry.stream_id, entry.version - 1)))
        graph.add(entry.id, *(id for id in predecessors if id in entries))
    graph.prepare()
    ordered: list[HistoryEntry] = []
    ready: list[tuple[datetime, UUID]] = []
    while graph.is_active():
        for id in graph.get_ready():
            heappush(ready, (entries[id].occurred_at, id))
        _, id = heappop(ready)
        graph.done(id)
        ordered.append(entries[id])
    return ordered
