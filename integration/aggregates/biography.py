"""An aggregate's life, event by event: what happened, and what it changed.

Only what is asked for is read: the life of a stock item of 100,000 movements can be told from any version on.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.past import at_version
from integration.aggregates.snapshots import state_of
from integration.history.entries import HistoryEntry, history_of
from integration.history.personal_data import load_personal

State = dict[str, Any]
"""An aggregate as `state_of` tells it."""

TOLD_BY_THE_EVENT = {"version", "updated_at"}
"""Columns that every event changes."""


class Step(NamedTuple):
    """One event of a life, and the aggregate's state before it and after it."""

    entry: HistoryEntry
    before: State
    after: State

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """What it changed: by name, what was before (None for what was not there) and what was after."""
        return {
            name: (self.before.get(name), value)
            for name, value in self.after.items()
            if name not in TOLD_BY_THE_EVENT and (name not in self.before or self.before[name] != value)
        }


def life(model: type[Aggregate], key: str, first: int = 1, last: int | None = None) -> Iterator[Step]:
    """The steps of an aggregate's life from version `first` to `last`, or to this day; none if it never lived."""
    aggregate = at_version(model, key, first - 1) or model()
    before = state_of(aggregate) if aggregate.version else {}
    history = history_of(model._meta.app_label).objects.filter(stream=model.stream, stream_id=key, version__gte=first)
    if last is not None:
        history = history.filter(version__lte=last)
    for entry in load_personal(history.order_by("version")):
        aggregate.apply_entry(entry)
        after = state_of(aggregate)
        yield Step(entry, before, after)
        before = after
