"""The life of an aggregate, event by event: what happened, and what each event changed.

Only the requested versions are read, so the end of a stock item's 100,000 movements can be shown quickly.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.past import at_version
from integration.aggregates.snapshots import state_of
from integration.history.entries import HistoryEntry, history_of
from integration.history.personal_data import load_personal

State = dict[str, Any]
"""An aggregate's state as `state_of` returns it."""

CHANGED_BY_EVERY_EVENT = {"version", "updated_at"}
"""The columns that every event changes. They are not listed as changes."""


class Step(NamedTuple):
    """One event of an aggregate's life, with the aggregate's state before and after it."""

    entry: HistoryEntry
    before: State
    after: State

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """The columns and parts that the event changed: by name, the values before and after.

        The value before is None if the name did not exist.
        """
        return {
            name: (self.before.get(name), value)
            for name, value in self.after.items()
            if name not in CHANGED_BY_EVERY_EVENT and (name not in self.before or self.before[name] != value)
        }


def life(model: type[Aggregate], key: str, first: int = 1, last: int | None = None) -> Iterator[Step]:
    """Yield the steps of an aggregate's life; none if the aggregate does not exist.

    Args:
        model: the kind of aggregate.
        key: its primary key.
        first: the first version to return.
        last: the last version to return; None for the newest.
    """
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
