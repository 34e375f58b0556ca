"""Every aggregate is compared with its history: applying the events must give its row and each of its snapshots.

The comparison also checks that each event led to a state that the state table allows. Rows, parts and histories are
read in one snapshot of the database. Commands that commit meanwhile are not seen, so they make no false offender. A
snapshot holds back the vacuum of PostgreSQL. So there is one for each batch, and a batch has a limited number of
events, which also limits the memory. Only a stream that is longer than a batch takes as long as it needs.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from types import MappingProxyType

from django.apps import apps
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.snapshots import EVERY, SNAPSHOT_UPSERT, Snapshot, state_of
from integration.domain.errors import NotFound
from integration.domain.naming import UnknownName
from integration.domain.personal import personal_fields
from integration.history.entries import HistoryEntry, history_of
from integration.history.personal_data import load_personal
from integration.invariants import Finding
from integration.storage.one_snapshot import one_snapshot
from integration.storage.pages import pages
from integration.storage.reading import read
from integration.storage.rows import key_of, values_of
from integration.storage.writing import write

EVENTS_AT_ONCE = 5_000
"""The most events in memory, unless a single stream has more: then a page of it."""


def aggregates() -> list[type[Aggregate]]:
    """Return all kinds of aggregates."""
    return [model for model in apps.get_models() if issubclass(model, Aggregate)]


def kind_named(name: str) -> type[Aggregate]:
    """Return the kind of aggregate with this class name or stream; raises `NotFound` with the names there are."""
    kinds = {model.__name__: model for model in aggregates()}
    found = [model for model in kinds.values() if name.lower() in (model.__name__.lower(), model.stream)]
    if not found:
        raise NotFound(f"There is no kind of aggregate named {name}. There are: {', '.join(sorted(kinds))}.")
    return found[0]


def rows_are_their_histories(newest: int | None = None) -> Finding:
    """Rebuild aggregates from their histories and compare the results with their rows.

    Args:
        newest: for each kind, compare only this many aggregates, those changed last; None for all.

    Returns:
        the number of aggregates, and a sentence about each that differs.
    """
    looked_at, offenders = 0, []
    for model in aggregates():
        for keys in _batches(model, newest):
            looked_at += len(keys)
            offenders += _differences(model, keys)
    return Finding(looked_at, offenders)


def _batches(model: type[Aggregate], newest: int | None) -> Iterator[list[str]]:
    """Yield keys of aggregates that have at most `EVENTS_AT_ONCE` events together, or a single key."""
    known: Iterable[tuple[str, int]]
    if newest is None:
        known = ((row.pk, row.version) for row in chain.from_iterable(pages(model.objects.only("pk", "version"))))
    else:
        known = model.objects.order_by("-updated_at").values_list("pk", "version")[:newest]
    batch: list[str] = []
    events = 0
    for key, version in known:
        if batch and events + version > EVENTS_AT_ONCE:
            yield batch
            batch, events = [], 0
        batch.append(key)
        events += version
    if batch:
        yield batch


def _differences(model: type[Aggregate], keys: Sequence[str]) -> list[str]:
    """Compare aggregates. If one of them cannot even be read, compare each alone, and name that one."""
    try:
        with one_snapshot():
            return list(_compare(model, keys))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if len(keys) == 1:
            return [f"{model._meta.verbose_name} {keys[0]}: cannot be read: {_in_words(error)}"]
    return [found for key in keys for found in _differences(model, [key])]


def _compare(model: type[Aggregate], keys: Sequence[str]) -> Iterator[str]:
    rows = {str(row.pk): row for row in model.objects.filter(pk__in=keys)}
    model.load_parts([*rows.values()])
    history = history_of(model._meta.app_label).objects.filter(stream=model.stream, stream_id__in=keys)
    numbers = dict(history.order_by().values_list("stream_id").annotate(events=Count("pk")))
    long = [key for key, events in numbers.items() if events > EVENTS_AT_ONCE]
    short = defaultdict[str, list[HistoryEntry]](list)
    for entry in load_personal(history.exclude(stream_id__in=long).order_by("stream_id", "version")):
        short[entry.stream_id].append(entry)
    entries: dict[str, Iterable[HistoryEntry]] = {**short}
    for key in long:
        entries[key] = chain.from_iterable(map(load_personal, pages(history.filter(stream_id=key), by="version")))
    snapshots: dict[str, dict[int, Snapshot]] = defaultdict(dict)
    for snapshot in Snapshot.usable(model).filter(stream_id__in=keys):
        snapshots[snapshot.stream_id][snapshot.version] = snapshot
    for key, row in rows.items():
        found = difference(row, entries.get(key, ()), snapshots[key])
        if found:
            yield f"{row}: {found}"


def difference(
    row: Aggregate, history: Iterable[HistoryEntry], snapshots: Mapping[int, Snapshot] = MappingProxyType({})
) -> str | None:
    """Return how an aggregate differs from its history, as a sentence; None if it does not differ.

    Args:
        row: the aggregate with its parts.
        history: its whole history, oldest event first.
        snapshots: its usable snapshots by version; they must equal the history, too.
    """
    rebuilt, found, events = type(row)(), None, 0
    is_whole = True
    for events, entry in enumerate(history, start=1):
        is_whole = is_whole and entry.version == events
        if is_whole and not found:
            found = _step(row, rebuilt, entry) or _snapshot_differs(rebuilt, entry, snapshots.get(entry.version))
    if events != row.version:
        return f"version {row.version}, but {events} events"
    if not is_whole:
        return f"version {row.version}, but the versions of its events have gaps"
    return found or "; ".join(columns_that_differ(row, rebuilt)) or None


def _step(row: Aggregate, rebuilt: Aggregate, entry: HistoryEntry) -> str | None:
    """Apply an event; returns why it cannot be, or what is wrong with it."""
    status, moment = getattr(rebuilt, "status", None), rebuilt.updated_at
    try:
        rebuilt.apply_entry(entry)
    except UnknownName as unknown:
        return f"cannot be rebuilt by this code: {unknown}"
    except Exception as error:
        return f"version {entry.version}, {entry.name}, cannot be read: {_in_words(error)}"
    if row.life and entry.version > 1 and not row.life.leads(status, rebuilt.status):
        return f"{entry.name} led from {status} to {rebuilt.status}, which the state table does not allow"
    if entry.version > 1 and entry.occurred_at < moment:
        return f"version {entry.version} is dated before version {entry.version - 1}"
    return None


def _snapshot_differs(rebuilt: Aggregate, entry: HistoryEntry, snapshot: Snapshot | None) -> str | None:
    if snapshot is None or (snapshot.moment, snapshot.state) == (entry.occurred_at, state_of(rebuilt)):
        return None
    return f"its snapshot of version {entry.version} differs from its history"


def columns_that_differ(row: Aggregate, rebuilt: Aggregate) -> list[str]:
    """Return what differs between an aggregate and the same rebuilt from its history: columns and parts."""
    actual, expected = state_of(row), state_of(rebuilt)
    return [
        f"{name} is {actual[name]!r}, by its history {expected[name]!r}"
        for name in actual
        if actual[name] != expected[name]
    ]


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def rebuild_snapshots(model: type[Aggregate]) -> int:
    """Make all snapshots of a kind of aggregate again from the histories, and return their number.

    This is safe at any time: commands that run meanwhile store equal snapshots. An aggregate that may have personal
    data is locked until its snapshots are stored, so that erasing waits and then deletes them. Others, which may have
    hundreds of thousands of events, are not locked.
    """
    long = pages(model.objects.filter(version__gte=EVERY).only("pk"))
    return sum(_make_snapshots(model, row.pk) for row in chain.from_iterable(long))


def _make_snapshots(model: type[Aggregate], key: str) -> int:
    history = history_of(model._meta.app_label).objects.filter(stream=model.stream, stream_id=key)
    made, aggregate = 0, model()
    with transaction.atomic() if any(map(personal_fields, model._appliers)) else nullcontext():
        if connection.in_atomic_block:
            read(model, key_of(model), [key], locked=True)
        for page in pages(history, by="version"):
            due = []
            for entry in load_personal(page):
                aggregate.apply_entry(entry)
                if entry.version % EVERY == 0:
                    due.append(values_of(Snapshot.of(aggregate)))
            write({SNAPSHOT_UPSERT: due})
            made += len(due)
    return made
