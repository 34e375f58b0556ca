"""A story: all domain events with one correlation id, in all contexts, each after what caused it."""

from collections.abc import Iterable
from datetime import datetime
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from uuid import UUID

from django.apps import apps

from integration.history.entries import HistoryEntry
from integration.history.personal_data import load_personal


def story(correlation_id: UUID) -> list[HistoryEntry]:
    """Every domain event of one story, in all contexts, each after what caused it; one query per context, and one for
    what is personal."""
    tables = [model for model in apps.get_models() if issubclass(model, HistoryEntry)]
    entries = [entry for table in tables for entry in table.objects.filter(correlation_id=correlation_id)]
    return in_order(load_personal(entries))


def in_order(told: Iterable[HistoryEntry]) -> list[HistoryEntry]:
    """Oldest first, but an aggregate's events by version, and none before its cause.

    Ids sort by the clock of the machine that made them, and clocks of two machines differ: so the clock decides only
    between events of which neither led to the other.
    """
    entries = {entry.id: entry for entry in told}
    versions = {(entry.stream, entry.stream_id, entry.version): entry.id for entry in entries.values()}
    graph: TopologicalSorter[UUID] = TopologicalSorter()
    for entry in entries.values():
        before = (entry.causation_id, versions.get((entry.stream, entry.stream_id, entry.version - 1)))
        graph.add(entry.id, *(id for id in before if id in entries))
    graph.prepare()
    ordered: list[HistoryEntry] = []
    due: list[tuple[datetime, UUID]] = []
    while graph.is_active():
        for id in graph.get_ready():
            heappush(due, (entries[id].occurred_at, id))
        _, id = heappop(due)
        graph.done(id)
        ordered.append(entries[id])
    return ordered
