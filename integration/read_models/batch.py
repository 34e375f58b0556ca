"""A projection is a function of a batch: it loads the rows the batch touches once, and writes them once.

Each event comes once to each build, an aggregate's in the order of its versions. What shows an aggregate keeps the
version it shows besides, and passes over what is older; what adds up needs no order.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from integration.domain.events import DomainEvent
from integration.domain.naming import WireNames
from integration.history.entries import HistoryEntry
from integration.read_models.models import Row
from integration.storage.reading import read
from integration.storage.rows import columns_of, unsaved, values_of
from integration.storage.writing import Update, Upsert, write

R = TypeVar("R", bound=Row)


class Batch:
    """Events that follow one another, and the rows of the build they are for.

    Args:
        rows: the table of the rows.
        build: which build's rows are read and written.
        entries: the events, oldest first.
    """

    def __init__(self, rows: type[Row], build: int, entries: Sequence[HistoryEntry]) -> None:
        self.entries = entries
        self._rows, self._build = rows, build
        self._known, self._new = Update(rows, columns_of(rows)), Upsert(rows, ("build", *rows.key))

    def load(self, keys: Collection[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        """The row of each key, by it; a new one where there is none yet."""
        found = {row.key_values: row for row in self.read(self._rows.key, keys)}
        return {key: found.get(key) or self.new(*key) for key in keys}

    def new(self, *key: Any, **values: Any) -> Any:
        """A row that is not there yet."""
        return unsaved(self._rows, {"build": self._build, **dict(zip(self._rows.key, key, strict=True)), **values})

    def read(self, attributes: str | tuple[str, ...], values: Collection[Any], **also: Any) -> list[Any]:
        """The build's rows that `rows.read` finds by these; one query, or none for no values."""
        return read(self._rows, attributes, values, build=self._build, **also)

    def write(self, rows: Iterable[Row]) -> None:
        """Keep the rows as they are now; one statement."""
        now = [values_of(row) for row in rows]
        # Those that are there nobody else changes, for the build is locked; to upsert them would write more log.
        known = [row for row in now if row["id"] is not None]
        new = [row for row in now if row["id"] is None]
        write({self._known: known, self._new: new})

    def delete(self, rows: Collection[Row]) -> None:
        """Have the rows no more; one statement, or none for none."""
        if rows:
            self._rows.of_all_builds.filter(pk__in=[row.pk for row in rows]).delete()

    def totals(self) -> "Totals":
        """Sums to be added to, and written once."""
        return Totals(self)


class Totals:
    """What is to be added to rows that are sums; a row all of whose sums are zero again is taken away."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._changes: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, *key: Any, **changes: int) -> None:
        """Add to the row of this key; what is less than zero is taken away."""
        for name, change in changes.items():
            self._changes[key][name] += change

    def write(self) -> None:
        """Add it all up: one query and one or two statements."""
        rows = self._batch.load(self._changes)
        for key, changes in self._changes.items():
            for name, change in changes.items():
                setattr(rows[key], name, getattr(rows[key], name) + change)
        nothing = {key for key, row in rows.items() if not any(getattr(row, name) for name in self._changes[key])}
        self._batch.write([row for key, row in rows.items() if key not in nothing])
        self._batch.delete([rows[key] for key in nothing if rows[key].pk])


class ReadModel(Struct, frozen=True):
    """A projection and the rows it keeps.

    Args:
        rows: the table of its rows; `rows.read_model` is its name.
        stream: the kind of aggregate whose events it is made of.
        events: the wire names of those events; empty for all of the stream.
        project: makes the rows of a build show a batch.
    """

    rows: type[Row]
    stream: str
    events: frozenset[str]
    project: Callable[[Batch], None]

    @property
    def name(self) -> str:
        """Its wire name, `context.what-it-shows`."""
        return self.rows.read_model

    @property
    def context(self) -> str:
        """The context whose history it follows."""
        return self.name.partition(".")[0]

    def wants(self, stream: str, name: str) -> bool:
        """Whether an event is one of those it is made of."""
        return stream == self.stream and (not self.events or name in self.events)


read_models: WireNames[ReadModel] = WireNames("read model")

P = TypeVar("P", bound=Callable[[Batch], None])


def read_model(rows: type[Row], *, stream: str, events: Iterable[type[DomainEvent]] = ()) -> Callable[[P], P]:
    """Have the function below keep these rows, of the events of one kind of aggregate, or of some of them."""

    def register(project: P) -> P:
        names = frozenset(event.wire_name for event in events)
        read_models.add(rows.read_model, ReadModel(rows, stream, names, project))
        return project

    return register


def of_context(context: str) -> list[ReadModel]:
    """The read models of a context, by name."""
    return [model for _, model in read_models.items() if model.context == context]
