"""Every aggregate is compared with its history: applying the events must give its row and each of its snapshots.

The comparison also checks that each event led to a state that the state table allows. A row and its history are read by
two queries, and a command may commit between them. So an aggregate that seems to differ is read again before it is
reported.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from django.apps import apps
from django.db.models import QuerySet

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.snapshots import EVERY, SNAPSHOT_UPSERT, Snapshot, state_of
from integration.domain.naming import UnknownName
from integration.history.entries import HistoryEntry, history_of
from integration.history.personal_data import load_personal
from integration.invariants import Finding
from integration.storage.pages import PAGE, pages
from integration.storage.rows import values_of
from integration.storage.writing import write

LOOKS = 3
"""How often an aggregate is compared before it is reported."""


def aggregates() -> list[type[Aggregate]]:
    """Return all kinds of aggregates."""
    return [model for model in apps.get_models() if issubclass(model, Aggregate)]


def rows_are_their_histories(newest: int | None = None) -> Finding:
    """Rebuild aggregates from their histories and compare the results with their rows.

    Args:
        newest: for each kind, compare only this many aggregates, those changed last; None for all.

    Returns:
        the number of aggregates, and a sentence about each that differs.
    """
    looked_at, offenders = 0, []
    for model in aggregates():
        for keys in _chunks(model, newest):
            looked_at += len(keys)
            offenders += _differences(model, keys)
    return Finding(looked_at, offenders)


def _chunks(model: type[Aggregate], newest: int | None) -> Iterator[list[str]]:
    if newest is None:
        yield from ([row.pk for row in page] for page in pages(model.objects.only("pk")))
        return
    keys = list(model.objects.order_by("-updated_at").values_list("pk", flat=True)[:newest])
    yield from (keys[n : n + PAGE] for n in range(0, len(keys), PAGE))


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
    for entry in load_personal(history.order_by("stream_id", "version")):
        entries[entry.stream_id].append(entry)
    snapshots: dict[str, dict[int, Snapshot]] = defaultdict(dict)
    for snapshot in Snapshot.usable(model).filter(stream_id__in=keys):
        snapshots[snapshot.stream_id][snapshot.version] = snapshot
    rows = list(model.objects.filter(pk__in=keys))
    model.load_parts(rows)
    for row in rows:
        found = difference(row, entries[str(row.pk)], snapshots[str(row.pk)])
        if found:
            yield str(row.pk), f"{row}: {found}"


def difference(
    row: Aggregate, history: Sequence[HistoryEntry], snapshots: Mapping[int, Snapshot] = MappingProxyType({})
) -> str | None:
    """Return how an aggregate differs from its history, as a sentence; None if it does not differ.

    Args:
        row: the aggregate with its parts.
        history: its whole history, oldest event first.
        snapshots: its usable snapshots by version; they must equal the history, too.
    """
    if [entry.version for entry in history] != list(range(1, row.version + 1)):
        return f"version {row.version}, but {len(history)} events"
    rebuilt = type(row)()
    for entry in history:
        status, moment = getattr(rebuilt, "status", None), rebuilt.updated_at
        try:
            rebuilt.apply_entry(entry)
        except UnknownName as unknown:
            return f"cannot be rebuilt by this code: {unknown}"
        if row.life and entry.version > 1 and not row.life.leads(status, rebuilt.status):
            return f"{entry.name} led from {status} to {rebuilt.status}, which the state table does not allow"
        if entry.version > 1 and entry.occurred_at < moment:
            return f"version {entry.version} is dated before version {entry.version - 1}"
        snapshot = snapshots.get(entry.version)
        if snapshot and (snapshot.moment, snapshot.state) != (entry.occurred_at, state_of(rebuilt)):
            return f"its snapshot of version {entry.version} differs from its history"
    actual, expected = state_of(row), state_of(rebuilt)
    differing = [
        f"{name} is {actual[name]!r}, by its history {expected[name]!r}"
        for name in actual
        if actual[name] != expected[name]
    ]
    return "; ".join(differing) or None


def rebuild_snapshots(model: type[Aggregate]) -> int:
    """Make all snapshots of a kind of aggregate again from the histories, and return their number.

    This is safe at any time: commands that run meanwhile store equal snapshots.
    """
    history = history_of(model._meta.app_label).objects.filter(stream=model.stream)
    long = pages(model.objects.filter(version__gte=EVERY).only("pk"))
    return sum(_make_snapshots(model, history.filter(stream_id=row.pk)) for page in long for row in page)


def _make_snapshots(model: type[Aggregate], history: QuerySet[HistoryEntry]) -> int:
    made, aggregate = 0, model()
    for page in pages(history, by="version"):
        due = []
        for entry in load_personal(page):
            aggregate.apply_entry(entry)
            if entry.version % EVERY == 0:
                due.append(values_of(Snapshot.of(aggregate)))
        write({SNAPSHOT_UPSERT: due})
        made += len(due)
    return made
