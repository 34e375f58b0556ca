"""Applying an aggregate's history from nothing gives its row, field by field, by a path of its table of states.

The row and its history are two queries, and on a system at work a command may come between them: whatever seems to
differ is looked at again before it is called an offender.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.db import models

from integration.domain.aggregate import Aggregate
from integration.domain.history import HistoryEntry, history_of
from integration.domain.invariants import Finding

CHUNK = 500
LOOKS = 3
"""So often an aggregate is looked at before it is said to differ from its history."""


def aggregates() -> list[type[Aggregate]]:
    """All kinds of aggregates there are."""
    return [model for model in apps.get_models() if issubclass(model, Aggregate)]


def rows_are_their_histories(newest: int | None = None) -> Finding:
    """Rebuild aggregates and compare them with their rows.

    Args:
        newest: look at only so many of each kind, those changed last; None for all of them.
    """
    looked_at, offenders = 0, []
    for model in aggregates():
        for keys in _chunks(model, newest):
            looked_at += len(keys)
            offenders += _differences(model, keys)
    return Finding(looked_at, offenders)


def _chunks(model: type[Aggregate], newest: int | None) -> Iterator[list[str]]:
    keys: list[str] = []
    rows = model.objects.order_by("-updated_at").values_list("pk", flat=True)
    for key in rows[:newest].iterator(chunk_size=CHUNK):
        keys.append(key)
        if len(keys) == CHUNK:
            yield keys
            keys = []
    if keys:
        yield keys


def _differences(model: type[Aggregate], keys: Sequence[str]) -> list[str]:
    found: dict[str, str] = {}
    for _ in range(LOOKS):
        found = dict(_compare(model, list(found) or keys))
        if not found:
            break
    return list(found.values())


def _compare(model: type[Aggregate], keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    history = history_of(model._meta.app_label).objects.filter(stream=model.stream, stream_id__in=keys)
    entries: dict[str, list[HistoryEntry]] = defaultdict(list)
    for entry in history.order_by("stream_id", "version"):
        entries[entry.stream_id].append(entry)
    rows = list(model.objects.filter(pk__in=keys))
    model.load_parts(rows)
    for row in rows:
        difference = _difference(row, entries[str(row.pk)])
        if difference:
            yield str(row.pk), f"{row}: {difference}"


def _difference(row: Aggregate, history: Sequence[HistoryEntry]) -> str | None:
    if [entry.version for entry in history] != list(range(1, row.version + 1)):
        return f"version {row.version}, but {len(history)} events"
    rebuilt = type(row)()
    for entry in history:
        before = getattr(rebuilt, "status", None)
        rebuilt.apply_entry(entry)
        if row.life and entry.version > 1 and not row.life.leads(before, rebuilt.status):
            return f"{entry.name} led from {before} to {rebuilt.status}, which no table of states allows"
    mine, told = _fields(row), _fields(rebuilt)
    differing = [
        f"{name} is {mine[name]!r}, by its history {told[name]!r}" for name in mine if mine[name] != told[name]
    ]
    return "; ".join(differing) or None


def _fields(aggregate: Aggregate) -> dict[str, Any]:
    """All that is stored of an aggregate, its parts as lists of theirs."""
    fields = dict(_columns(aggregate))
    for name in aggregate.parts:
        fields[name] = [
            [value for column, value in _columns(part) if column != "id"] for part in getattr(aggregate, name)
        ]
    return fields


def _columns(row: models.Model) -> Iterator[tuple[str, Any]]:
    for field in row._meta.concrete_fields:
        yield field.name, field.to_python(field.value_from_object(row))
