"""A command runs in one unit of work and one transaction: all its changes and events are committed, or none.

Aggregates are locked when they are loaded, and their parts are loaded when they are first used. Everything is written
once, at the end, in as few statements as possible: see `storage.writing`.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from django.db import connection, models, transaction

from integration.aggregates.aggregate import Aggregate, OfOneStory
from integration.aggregates.callbacks import make_callbacks_robust
from integration.aggregates.snapshots import EVERY, SNAPSHOT_UPSERT, Snapshot
from integration.domain.dispatcher import dispatch
from integration.domain.errors import NotFound, NotYet
from integration.domain.events import Recorded
from integration.domain.metadata import join_story
from integration.history.entries import entry_of, history_of
from integration.history.personal_data import PersonalData, personal_row
from integration.storage.reading import read, read_at_once
from integration.storage.rows import Row, columns_of, key_of, values_of
from integration.storage.writing import Insert, Update, Write, write
from integration.tracing import command_story

A = TypeVar("A", bound=Aggregate)


class UnitFailed(RuntimeError):
    """A nested command failed and its error was swallowed, so the unit of work cannot be completed."""


class SavepointRolledBack(UnitFailed):
    """An inner `atomic` block in which the unit of work was used was rolled back: its locks and its rows are gone."""


class UnitOfWork:
    """The aggregates in use, each as one object, and the events that they recorded."""

    def __init__(self) -> None:
        self._aggregates: dict[tuple[type[Aggregate], Any], Aggregate] = {}
        self._seen: dict[tuple[type[Aggregate], str], Aggregate | None] = {}
        self._absent: set[tuple[type[Aggregate], Any]] = set()
        self._undispatched: deque[Recorded] = deque()
        self.dispatched: list[Recorded] = []  # up to the current one; their changes are written at the end
        self._writes: dict[Write, list[Row]] = defaultdict(list)
        self._deferred: dict[Callable[[list[Any]], None], list[Any]] = defaultdict(list)
        self._failure: BaseException | None = None
        self._open_savepoints: list[Any] = connection.savepoint_ids  # Django appends to it and removes from it
        self._savepoints = len(self._open_savepoints)
        self._used_in_savepoints: list[Callable[[], None]] = []

    def get(self, model: type[A], key: str) -> A:
        """Return the aggregate with this key, locked until the transaction ends; raises `NotFound`."""
        aggregate = self.find(model, key)
        if aggregate is None:
            raise NotFound(f"there is no {model._meta.verbose_name} {key}")
        return aggregate

    def find(self, model: type[A], key: str) -> A | None:
        """Return the aggregate with this key, locked until the transaction ends, or None."""
        return self.get_many(model, [key]).get(key)

    def get_many(self, model: type[A], keys: Collection[str]) -> dict[str, A]:
        """Return the existing aggregates by key.

        They are locked in the order of their keys, which prevents deadlocks.
        """
        missing = [key for key in keys if (model, key) not in self._aggregates and (model, key) not in self._absent]
        if missing:
            self._note_savepoint()
            found = read(model, key_of(model), missing, locked=True)
            for aggregate in found:
                aggregate._loaded_with = found
                self.add(aggregate)
        in_use = cast(dict[tuple[type[A], str], A], self._aggregates)
        return {key: in_use[model, key] for key in keys if (model, key) in in_use}

    def prefetch(self, model: type[A], keys: Collection[str]) -> dict[str, A]:
        """Load and lock many aggregates, for commands that will load them one by one.

        Missing keys are not queried again. If another transaction inserts a missing aggregate meanwhile, inserting it
        here fails and the command is retried.
        """
        found = self.get_many(model, keys)
        self._absent.update((model, key) for key in keys if key not in found)
        return found

    def look_at(self, model: type[A], keys: Collection[str]) -> dict[str, A]:
        """Return the existing aggregates by key, as they are now.

        Those that this unit of work has loaded or added include its changes. The others are not locked, and therefore
        read-only.
        """
        self.look_ahead({model: keys})
        own, seen = cast(dict[tuple[type[A], str], A], self._aggregates), cast(Any, self._seen)
        return {key: aggregate for key in keys if (aggregate := own.get((model, key)) or seen.get((model, key)))}

    def look_ahead(
        self, keys_of: Mapping[type[Aggregate], Collection[str]], key_shared: type[Aggregate] | None = None
    ) -> None:
        """Load several kinds of aggregates in one query, for later calls of `look_at`.

        Args:
            keys_of: the keys by kind.
            key_shared: a kind whose rows are locked `FOR KEY SHARE`: they can be changed, but not locked `FOR UPDATE`.
        """
        own, seen = self._aggregates, self._seen
        unseen = {
            model: [key for key in keys if (model, key) not in seen and (model, key) not in own]
            for model, keys in keys_of.items()
        }
        unseen = {model: keys for model, keys in unseen.items() if keys}
        self._seen.update(dict.fromkeys((model, key) for model, keys in unseen.items() for key in keys))
        for aggregate in read_at_once(unseen, key_shared):
            aggregate._is_past = True
            self._seen[type(aggregate), aggregate.pk] = aggregate

    def add(self, aggregate: Aggregate) -> None:
        """Add an aggregate with the events that it has recorded and will record; raises `PastIsFixed`."""
        aggregate.refuse_if_past()
        self._absent.discard((type(aggregate), aggregate.pk))
        self._aggregates[type(aggregate), aggregate.pk] = aggregate
        aggregate._work = self
        if isinstance(aggregate, OfOneStory) and aggregate.correlation_id:
            join_story(aggregate.correlation_id)
        for recorded in vars(aggregate).pop("recorded_events", ()):
            self.remember(recorded, aggregate)

    def remember(self, recorded: Recorded, aggregate: Aggregate) -> None:
        """Queue a recorded event for dispatch, and store a snapshot if one is due.

        The aggregate calls this in `record`.
        """
        self._note_savepoint()
        self._undispatched.append(recorded)
        version = recorded.metadata.version
        if version % EVERY == 0 and version == aggregate.version:
            self.write(SNAPSHOT_UPSERT, [values_of(Snapshot.of(aggregate))])

    def write(self, to: Write, rows: Iterable[Row]) -> None:
        """Write rows at the end, together with the aggregates and their history."""
        self._note_savepoint()
        self._writes[to].extend(rows)

    def defer(self, do: Callable[[list[Any]], None], item: Any) -> None:
        """Call `do` once, just before the commit, with a list of all items that were deferred for it."""
        self._note_savepoint()
        self._deferred[do].append(item)

    def fail(self, error: BaseException) -> None:
        """Note that a nested command failed. Then nothing is written, even if a caller swallows the error."""
        self._failure = self._failure or error

    def came_too_early(self, step: Callable[[], None]) -> NotYet | None:
        """Run `step`. If it raises `NotYet` and has changed nothing, return the error; the unit of work can go on.

        Raises:
            NotYet: when the step has changed something, or after another failure.
            Exception: any other error that the step raises.
        """
        before, writes = self._changes, _WriteCounter()
        try:
            with connection.execute_wrapper(writes):
                step()
        except NotYet as too_early:
            if writes.count or self._changes != before or self._failure not in (None, too_early):
                raise
            if self._has_lost_savepoint():
                raise
            self._failure = None
            return too_early
        return None

    @property
    def _changes(self) -> tuple[int, ...]:
        """The numbers of callbacks, events and rows that are queued.

        They only grow until the unit of work is completed.
        """
        callbacks = len(connection.run_on_commit)
        deferred = [*self._writes.values(), *self._deferred.values()]
        return callbacks, len(self._undispatched), sum(map(len, deferred))

    def complete(self) -> None:
        """Dispatch events until none is left, then write everything.

        Raises:
            UnitFailed: when a command inside this unit of work failed and its error was swallowed.
        """
        dispatch(self._undispatched_events(), in_transaction=connection.in_atomic_block)
        if self._failure:
            raise UnitFailed(UnitFailed.__doc__) from self._failure
        if self._has_lost_savepoint():
            raise SavepointRolledBack(SavepointRolledBack.__doc__)
        self._add_aggregates()
        self._add_history()
        write(self._writes)
        for do, items in self._deferred.items():
            do(items)
        make_callbacks_robust()

    def _note_savepoint(self) -> None:
        """Note that this unit of work is used inside an inner `atomic` block.

        Django drops the callbacks of a savepoint that is rolled back. A missing callback later shows that it was.
        """
        if len(self._open_savepoints) > self._savepoints:

            def used_in_savepoint() -> None:
                """Only its presence counts."""

            self._used_in_savepoints.append(used_in_savepoint)
            transaction.on_commit(used_in_savepoint, robust=True)

    def _has_lost_savepoint(self) -> bool:
        callbacks = {entry[1] for entry in connection.run_on_commit} if self._used_in_savepoints else set()
        return not callbacks.issuperset(self._used_in_savepoints)

    def _undispatched_events(self) -> Iterator[Recorded]:
        """Yield the queued events, including those that handlers record meanwhile. Stop after a failure."""
        while self._undispatched and not self._failure:
            recorded = self._undispatched.popleft()
            self.dispatched.append(recorded)
            yield recorded

    def _add_aggregates(self) -> None:
        changed = {(recorded.stream, recorded.stream_id) for recorded in self.dispatched}
        rows: dict[tuple[type[models.Model], bool], list[models.Model]] = defaultdict(list)
        for aggregate in self._aggregates.values():
            if (aggregate.stream, aggregate.stream_id) in changed:
                parts = _parts(aggregate, is_new=aggregate._state.adding)
                for row in (aggregate, *parts):
                    rows[type(row), row._state.adding].append(row)
                    row._state.adding = False
        for (model, is_new), some in rows.items():
            self.write(Insert(model) if is_new else Update(model, columns_of(model)), map(values_of, some))

    def _add_history(self) -> None:
        contexts = {type(aggregate).stream: aggregate._meta.app_label for aggregate in self._aggregates.values()}
        for recorded in self.dispatched:
            entry, personal = entry_of(recorded)
            self.write(Insert(history_of(contexts[recorded.stream])), [entry])
            if personal:
                self.write(Insert(PersonalData), [personal_row(entry["id"], entry["id"], personal)])


class _WriteCounter:
    """Counts the statements that may have changed something: all except those that start with `SELECT`."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.count += not str(sql).lstrip().startswith("SELECT")
        return execute(sql, params, many, context)


def _parts(aggregate: Aggregate, is_new: bool) -> list[models.Model]:
    """Return the parts to write: all parts of a new aggregate, otherwise the changed parts, each once."""
    if is_new:
        return [part for name in aggregate.parts for part in getattr(aggregate, name)]
    return list({id(part): part for part in aggregate.touched_parts}.values()) if aggregate.parts else []


_current: ContextVar[UnitOfWork | None] = ContextVar("unit_of_work", default=None)


def current_unit_of_work() -> UnitOfWork:
    """Return the current unit of work; raises `RuntimeError` if there is none."""
    work = _current.get()
    if work is None:
        raise RuntimeError("there is no unit of work here: call this in a command or a policy")
    return work


@contextmanager
def unit_of_work() -> Iterator[UnitOfWork]:
    """Open a unit of work and its transaction. Inside another unit of work, join that one.

    Without a current cause, a new story starts.
    """
    if (outer := _current.get()) is not None:
        try:
            with command_story():
                yield outer
        except BaseException as error:
            outer.fail(error)
            raise
        return
    with command_story(), transaction.atomic():
        token = _current.set(work := UnitOfWork())
        try:
            yield work
            work.complete()
        finally:
            _current.reset(token)
