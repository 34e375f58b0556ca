"""A projection is a function of a batch of events: it loads the rows that the batch changes once, and writes them once.

Each build gets each event once, and the events of an aggregate in the order of their versions. A row that shows an
aggregate also stores the version it shows and ignores older events. Sums need no order.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from django.db.models import Max

from integration.domain import clock
from integration.domain.events import DomainEvent
from integration.history.entries import HistoryEntry
from integration.read_models.models import ReadModelBuild, Row
from integration.read_models.registry import ReadModel, read_models
from integration.storage.reading import read
from integration.storage.rows import columns_of, unsaved, values_of
from integration.storage.writing import Update, Upsert, write

R = TypeVar("R", bound=Row)

LONGEST_TRANSACTION = timedelta(hours=1)
"""An event is committed sooner than this after it was recorded."""
TICK = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Batch:
    """Consecutive events, and the rows of the build that they are applied to.

    Args:
        rows: the table of the rows.
        build: the key of the build whose rows are read and written.
        entries: the events, oldest first.
        is_ready: whether the build has reached the end of the history once.
    """

    def __init__(self, rows: type[Row], build: int, entries: Sequence[HistoryEntry], is_ready: bool = True) -> None:
        self.entries, self._is_ready = entries, is_ready
        self._rows, self._build = rows, build
        self._known, self._new = Update(rows, columns_of(rows)), Upsert(rows, ("build", *rows.key))

    def load(self, keys: Collection[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        """The rows of these keys, by key; a new, unsaved row for each key that has none yet."""
        found = {row.key_values: row for row in self.read(self._rows.key, keys)}
        return {key: found.get(key) or self.new(*key) for key in keys}

    def new(self, *key: Any, **values: Any) -> Any:
        """A new row of the build, unsaved."""
        return unsaved(self._rows, {"build": self._build, **dict(zip(self._rows.key, key, strict=True)), **values})

    def read(self, attributes: str | tuple[str, ...], values: Collection[Any], **also: Any) -> list[Any]:
        """The build's rows with these values of `attributes`, as `storage.reading.read` finds them; one query, none
        without values."""
        return read(self._rows, attributes, values, build=self._build, **also)

    def write(self, rows: Iterable[Row]) -> None:
        """Save the rows as they are now; one statement for existing rows and one for new ones."""
        now = [values_of(row) for row in rows]
        # The build is locked, so nobody else changes its existing rows. A plain UPDATE writes less WAL than an upsert.
        known = [row for row in now if row["id"] is not None]
        new = [row for row in now if row["id"] is None]
        write({self._known: known, self._new: new})

    def delete(self, rows: Collection[Row]) -> None:
        """Delete the rows; one statement, or none if there are no rows."""
        if rows:
            self._rows.of_all_builds.filter(pk__in=[row.pk for row in rows]).delete()

    def shown_at(self, entry: HistoryEntry) -> datetime:
        """The `shown_at` of a `PolledRow` that shows this event.

        It is the time of the event, or a moment later than all that the build has shown before. While clients read
        another build, events of the last hour are shown now: clients may have read that build before it showed them.
        """
        if self._another_is_read and entry.occurred_at > clock.now() - LONGEST_TRANSACTION:
            return max(clock.now(), self._shown_before + TICK)
        return max(entry.occurred_at, self._shown_before + TICK)

    @cached_property
    def _another_is_read(self) -> bool:
        builds = ReadModelBuild.objects.filter(read_model=self._rows.read_model)
        return not self._is_ready and builds.exclude(pk=self._build).exists()

    @cached_property
    def _shown_before(self) -> datetime:
        shown = self._rows.of_all_builds.filter(build=self._build).aggregate(latest=Max("shown_at"))
        return shown["latest"] or EPOCH

    def totals(self) -> "Totals":
        """Sums to add to and to write once."""
        return Totals(self)


class Totals:
    """Amounts to add to rows that hold sums. A row is deleted when all its sums become zero."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._changes: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, *key: Any, **changes: int) -> None:
        """Add to the sums of the row with this key; amounts may be negative."""
        for name, change in changes.items():
            self._changes[key][name] += change

    def write(self) -> None:
        """Add all amounts to their rows: one query, and at most one statement each to update, insert and delete."""
        rows = self._batch.load(self._changes)
        for key, changes in self._changes.items():
            for name, change in changes.items():
                setattr(rows[key], name, getattr(rows[key], name) + change)
        nothing = {key for key, row in rows.items() if not any(getattr(row, name) for name in self._changes[key])}
        self._batch.write([row for key, row in rows.items() if key not in nothing])
        self._batch.delete([rows[key] for key in nothing if rows[key].pk])


P = TypeVar("P", bound=Callable[[Batch], None])


def read_model(
    rows: type[Row], *, stream: str, events: Iterable[type[DomainEvent]] = (), formerly: Sequence[str] = ()
) -> Callable[[P], P]:
    """Register the decorated function as the projection of these rows.

    Args:
        rows: the table of the rows; its `read_model` is the wire name.
        stream: the kind of aggregate whose events it uses.
        events: the events it uses; by default all of the stream.
        formerly: the wire names that the read model had before; `migrate` gives their builds the name of today.
    """

    module = sys._getframe(1).f_code  # the decorator is used where the projection is defined

    def register(project: P) -> P:
        names = frozenset(event.wire_name for event in events)
        read_models.add(rows.read_model, ReadModel(rows, stream, names, project, module), formerly)
        return project

    return register
