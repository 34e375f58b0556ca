"""Past states of an aggregate, at a moment or after a number of events, are rebuilt from its history.

This reads at most one snapshot and the events up to the next snapshot. The result is read-only.
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
"""The largest version that the column can hold. No stream reaches it."""


def as_of(model: type[A], key: str, moment: datetime) -> A | None:
    """Return the aggregate with its parts as it was at a moment, after its last event until then.

    An event's moment is its `occurred_at`. Within one aggregate these moments never decrease, even if the clocks of the
    machines differ.

    Args:
        model: the kind of aggregate.
        key: its primary key.
        moment: an aware datetime; an event at exactly this moment is included.

    Returns:
        None before its first event, otherwise a read-only aggregate: any change raises `PastIsFixed`.
    """
    return _past(model, key, "moment", moment, lambda entry: entry.occurred_at <= moment)


def at_version(model: type[A], key: str, version: int) -> A | None:
    """Return the aggregate as it was after `version` events, read-only as in `as_of`; None if it had fewer events."""
    aggregate = _past(model, key, "version", version, lambda entry: entry.version <= version)
    return aggregate if aggregate and aggregate.version == version else None


def from_history(model: type[A], history: Iterable[HistoryEntry]) -> A:
    """Return the aggregate that results from applying a history, oldest event first."""
    aggregate = model()
    for entry in load_personal(history):
        aggregate.apply_entry(entry)
    return aggregate


def _past(model: type[A], key: str, axis: str, limit: Any, had_happened: Callable[[HistoryEntry], bool]) -> A | None:
    """Return the aggregate after the events for which `had_happened` is true.

    Args:
        model: the kind of aggregate.
        key: its primary key.
        axis: the column of the snapshots to compare with `limit`: `moment` or `version`.
        limit: the latest moment or version. The last snapshot up to it is the starting point.
        had_happened: whether an entry of the history is within the limit.
    """
    snapshots = Snapshot.usable(model).filter(stream_id=key).order_by(axis, "version")
    start = snapshots.filter(**{f"{axis}__lte": limit}).last()
    next_version = snapshots.filter(**{f"{axis}__gt": limit}).values("version")[:1]
    history = history_of(model._meta.app_label).objects.filter(
        stream=model.stream,
        stream_id=key,
        version__gt=start.version if start else 0,
        version__lt=Coalesce(models.Subquery(next_version), models.Value(NO_LIMIT)),
    )
    aggregate = restore(model, start.state) if start else model()
    for entry in load_personal(takewhile(had_happened, history.order_by("version"))):
        aggregate.apply_entry(entry)
    aggregate._is_past = True
    return aggregate if aggregate.version else None
