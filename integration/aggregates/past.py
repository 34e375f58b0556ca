"""The past of an aggregate: what it was at a moment or after a number of events, rebuilt from its history.

At most one snapshot and the events up to the next snapshot are read. What is returned is read-only.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import takewhile
from typing import Any, TypeVar

from django.db import models
from django.db.models.functions import Coalesce

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.snapshots import Snapshot, restore
from integration.history.entries import HistoryEntry, history_of
from integration.history.personal_data import load_personal

A = TypeVar("A", bound=Aggregate)

NO_LIMIT = 2**31 - 1
"""A version that no stream reaches: the largest that its column holds."""


def as_of(model: type[A], key: str, moment: datetime) -> A | None:
    """The aggregate with its parts as it was at a moment: after its last event that had happened by then.

    An event happened at the moment it was recorded with. Within one aggregate these moments never go backwards, even if
    the machines' clocks differ.

    Args:
        model: the kind of aggregate.
        key: its primary key.
        moment: aware; an event at that very moment is included.

    Returns:
        None before its first event. Otherwise an aggregate that is read-only: any change raises `PastIsFixed`.
    """
    return _past(model, key, "moment", moment, lambda entry: entry.occurred_at <= moment)


def at_version(model: type[A], key: str, version: int) -> A | None:
    """The aggregate as it was after `version` events, read-only as from `as_of`; None if there were fewer."""
    aggregate = _past(model, key, "version", version, lambda entry: entry.version <= version)
    return aggregate if aggregate and aggregate.version == version else None


def from_history(model: type[A], history: Iterable[HistoryEntry]) -> A:
    """The aggregate that results from applying its history, oldest event first, to nothing."""
    aggregate = model()
    for entry in load_personal(history):
        aggregate.apply_entry(entry)
    return aggregate


def _past(model: type[A], key: str, axis: str, limit: Any, had_happened: Callable[[HistoryEntry], bool]) -> A | None:
    """The aggregate after the events that `had_happened`, starting from the last snapshot whose `axis` is within the
    limit."""
    kept = Snapshot.usable(model).filter(stream_id=key).order_by(axis, "version")
    start = kept.filter(**{f"{axis}__lte": limit}).last()
    following = kept.filter(**{f"{axis}__gt": limit}).values("version")[:1]
    history = history_of(model._meta.app_label).objects.filter(
        stream=model.stream,
        stream_id=key,
        version__gt=start.version if start else 0,
        version__lt=Coalesce(models.Subquery(following), models.Value(NO_LIMIT)),
    )
    aggregate = restore(model, start.state) if start else model()
    for entry in load_personal(takewhile(had_happened, history.order_by("version"))):
        aggregate.apply_entry(entry)
    aggregate._is_past = True
    return aggregate if aggregate.version else None
