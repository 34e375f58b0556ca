"""Past states of an aggregate are correct at any moment and version, and snapshots make them fast."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import connection, models

from config.verification import verify
from integration.aggregates import past
from integration.aggregates.aggregate import Aggregate, PastIsFixed, applies
from integration.aggregates.direct_writes import bypassing_history
from integration.aggregates.rebuild import rebuild_snapshots
from integration.aggregates.snapshots import EVERY, Snapshot, restore, shape_of, state_of
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.events import DomainEvent
from integration.domain.identifiers import OrderNumber, Sku, new_event_id
from integration.history.entries import HistoryEntry
from inventory.commands import open_stock_item, receive_stock
from inventory.models import History, StockItem
from ordering.models import Order

MUG = Sku("MUG")
pytestmark = pytest.mark.django_db


@pytest.fixture
def at() -> Iterator[Callable[[int], None]]:
    """Stop the clock at a number of seconds past noon."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with mock.patch.object(clock, "now", return_value=noon) as now:

        def stop(seconds: int) -> datetime:
            now.return_value = noon + timedelta(seconds=seconds)
            return now.return_value

        yield stop


@pytest.fixture
def received(at: Callable[[int], datetime]) -> list[datetime]:
    """Receive ten mugs at each of three moments, which are returned."""
    open_stock_item(MUG)
    moments = [at(seconds) for seconds in (10, 20, 30)]
    for seconds in 10, 20, 30:
        at(seconds)
        receive_stock(MUG, 10)
    return moments


@pytest.fixture
def busy() -> StockItem:
    """A stock item with more than 500 versions, from commands with many movements and commands with one."""
    open_stock_item(MUG)
    for movements in 150, 150, 1, 1, 199:
        with unit_of_work() as work:
            item = work.get(StockItem, MUG)
            for _ in range(movements):
                item.receive(1, "")
    return item


@contextmanager
def record_entries_read() -> Iterator[list[int]]:
    """Collect the versions of the history entries that are read."""
    read: list[int] = []
    from_db = HistoryEntry.from_db.__func__

    def watch(cls: Any, *args: Any) -> Any:
        entry = from_db(cls, *args)
        read.append(entry.version)
        return entry

    with mock.patch.object(HistoryEntry, "from_db", classmethod(watch)):
        yield read


def on_hand(moment: datetime) -> int | None:
    item = past.as_of(StockItem, MUG, moment)
    return item and item.on_hand


# --- Moments and versions ---


def test_as_of_returns_the_state_after_the_last_event_until_then(received: list[datetime]) -> None:
    microsecond = timedelta(microseconds=1)
    assert [on_hand(moment) for moment in received] == [10, 20, 30]
    assert [on_hand(moment - microsecond) for moment in received] == [0, 10, 20]
    assert on_hand(received[-1] + timedelta(days=1000)) == 30


def test_before_the_first_event_there_is_no_aggregate(received: list[datetime]) -> None:
    assert on_hand(received[0] - timedelta(seconds=11)) is None
    assert past.as_of(StockItem, "NEVER", received[0]) is None


def test_at_version_returns_each_version(received: list[datetime]) -> None:
    # Its events: opened, received, level changed to in stock, received, received.
    states = [past.at_version(StockItem, MUG, version) for version in range(1, 6)]
    assert [(item and (item.version, item.on_hand)) for item in states] == [(1, 0), (2, 10), (3, 10), (4, 20), (5, 30)]


@pytest.mark.parametrize("version", [-1, 0, 6, 10**6])
def test_a_version_that_does_not_exist_is_none(received: list[datetime], version: int) -> None:
    assert past.at_version(StockItem, MUG, version) is None


def test_parts_are_as_they_were(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    number = placed({"MUG": 3, "LAMP": 1})
    before = clock.now()
    drain()
    order = past.as_of(Order, number, before)
    assert order is not None
    assert (order.status, order.paid.minor) == ("pending", 0)
    assert [(line.sku, line.quantity, line.order) for line in order.lines] == [("MUG", 3, order), ("LAMP", 1, order)]


def test_with_a_slow_clock_no_event_is_dated_before_the_previous_one(at: Callable[[int], datetime]) -> None:
    """The clock of a second machine is five seconds slow."""
    at(10)
    open_stock_item(MUG)
    receive_stock(MUG, 10)
    at(5)
    receive_stock(MUG, 1)
    at(11)
    receive_stock(MUG, 100)

    moments = list(History.objects.order_by("version").values_list("occurred_at", flat=True))
    assert moments == sorted(moments)
    assert [on_hand(at(second)) for second in (9, 10, 11)] == [None, 11, 111]
    assert verify(["events."])["events.rows_are_their_histories"].offenders == []


def test_a_later_moment_never_has_a_lower_version(busy: StockItem) -> None:
    moments = list(History.objects.order_by("version").values_list("occurred_at", flat=True))
    seen = [past.as_of(StockItem, MUG, moment).version for moment in moments[::17]]
    assert seen == sorted(seen)
    assert past.as_of(StockItem, MUG, moments[-1]).version == busy.version


# --- Read-only ---


def test_the_past_cannot_be_changed(received: list[datetime]) -> None:
    item = past.as_of(StockItem, MUG, received[0])
    assert item is not None
    attempts: list[Callable[[], object]] = [
        lambda: item.receive(1, ""),
        item.save,
        item.delete,
        lambda: _take_charge_of(item),
    ]
    for attempt in attempts:
        with pytest.raises(PastIsFixed):
            attempt()
    assert StockItem.objects.get().on_hand == 30


def _take_charge_of(aggregate: Aggregate) -> None:
    with unit_of_work() as work:
        work.add(aggregate)


# --- Snapshots ---


def test_a_snapshot_is_stored_at_every_200th_version(busy: StockItem) -> None:
    assert list(Snapshot.objects.order_by("version").values_list("version", flat=True)) == [EVERY, 2 * EVERY]


def test_a_failed_command_stores_no_snapshot(busy: StockItem) -> None:
    with pytest.raises(ZeroDivisionError):
        _receive_and_fail()
    assert Snapshot.objects.count() == 2


def _receive_and_fail() -> None:
    with unit_of_work() as work:
        item = work.get(StockItem, MUG)
        for _ in range(EVERY):
            item.receive(1, "")
        raise ZeroDivisionError


def test_only_a_command_that_reaches_a_200th_version_stores_a_snapshot(statements: Any) -> None:
    open_stock_item(MUG)
    counts = []
    for movements in 10, 10, EVERY, 2 * EVERY:
        before = Snapshot.objects.count()
        with statements() as seen, unit_of_work() as work:
            item = work.get(StockItem, MUG)
            for _ in range(movements):
                item.receive(1, "")
        counts.append((len(seen), Snapshot.objects.count() - before))
    assert counts == [(2, 0), (2, 0), (2, 1), (2, 2)]


def test_a_restored_snapshot_equals_the_aggregate(
    placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    number = placed({"MUG": 3, "LAMP": 1})
    drain()
    order = Order.objects.get(pk=number)
    Order.load_parts([order])
    again = restore(Order, Snapshot.of(order).state)
    assert state_of(again) == state_of(order)
    assert (again.total, again.created_at) == (order.total, order.created_at)
    assert again.shown_lines == order.shown_lines


def test_past_states_are_the_same_with_and_without_snapshots(busy: StockItem) -> None:
    versions = [1, 2, EVERY - 1, EVERY, EVERY + 1, 2 * EVERY, busy.version - 1, busy.version]
    moments = list(History.objects.filter(version__in=versions).values_list("occurred_at", flat=True))
    by_version = [state_of(past.at_version(StockItem, MUG, version)) for version in versions]
    by_moment = [state_of(past.as_of(StockItem, MUG, moment)) for moment in moments]
    Snapshot.objects.all().delete()
    assert by_version == [state_of(past.at_version(StockItem, MUG, version)) for version in versions]
    assert by_moment == [state_of(past.as_of(StockItem, MUG, moment)) for moment in moments]
    assert [state["version"] for state in by_version] == versions


def test_snapshots_of_other_code_are_ignored(busy: StockItem) -> None:
    Snapshot.objects.update(shape="another", state={"sku": MUG, "on_hand": -1, "nonsense": True})
    with record_entries_read() as read:
        assert past.at_version(StockItem, MUG, EVERY).on_hand == EVERY - 3  # three of the events are not receipts
    assert read[0] == 1
    assert verify(["events."])["events.rows_are_their_histories"].offenders == []


def test_a_wrong_snapshot_is_reported_and_can_be_rebuilt(busy: StockItem) -> None:
    Snapshot.objects.filter(version=EVERY).update(state={**state_of(busy), "on_hand": 1})
    [offender] = verify(["events."])["events.rows_are_their_histories"].offenders
    assert offender == f"stock of MUG: its snapshot of version {EVERY} differs from its history"

    call_command("rebuild_snapshots", stdout=StringIO())
    assert verify(["events."])["events.rows_are_their_histories"].offenders == []


def test_rebuilt_snapshots_equal_the_stored_ones(busy: StockItem) -> None:
    stored = list(Snapshot.objects.order_by("version").values("version", "moment", "shape", "state"))
    Snapshot.objects.all().delete()
    assert rebuild_snapshots(StockItem) == 2
    assert list(Snapshot.objects.order_by("version").values("version", "moment", "shape", "state")) == stored


# --- The shape of the code ---


class Counted(DomainEvent, frozen=True):
    wire_name = "tests.counted"
    by: int


def _counter(**body: Any) -> type[Aggregate]:
    """A kind of aggregate that is the same except for its class body."""
    namespace: dict[str, Any] = {
        "__module__": "inventory.models",
        "Meta": type("Meta", (), {"app_label": "inventory", "abstract": True}),
        "stream": "counter",
        "parts": {},
        **body,
    }
    return type(Aggregate)("Counter", (Aggregate,), namespace)


def _plus(self: Any, event: Counted) -> None:
    self.total += event.by


def _minus(self: Any, event: Counted) -> None:
    self.total -= event.by


def _plus_again(self: Any, event: Counted) -> None:
    # The same code on other lines.
    self.total += event.by


def test_different_code_has_a_different_shape() -> None:
    number = models.IntegerField

    def shape(applier: Any, **fields: Any) -> str:
        return shape_of(_counter(count=applies(Counted)(applier), **fields))

    assert shape(_plus, total=number()) == shape(_plus_again, total=number())
    others = [
        shape(_plus, total=number()),
        shape(_minus, total=number()),
        shape(_plus, total=number(default=1)),
        shape(_plus, total=models.BigIntegerField()),
        shape(_plus, total=number(), more=number()),
        shape_of(_counter(total=number())),
    ]
    assert len(set(others)) == len(others)


def test_upcasters_are_part_of_the_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "schema_version", 2)
    monkeypatch.setattr("integration.domain.versions._upcasters", {})
    shapes = [shape_of(_counter(count=applies(Counted)(_plus)))]
    for factor in 1, 2:
        upcasters = {(Counted, 1): _upcaster(factor)}
        monkeypatch.setattr("integration.domain.versions._upcasters", upcasters)
        shapes.append(shape_of(_counter(count=applies(Counted)(_plus))))
    assert len(set(shapes)) == 3


def _upcaster(factor: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    if factor == 1:
        return lambda facts: {"by": facts["number"]}
    return lambda facts: {"by": 2 * facts["number"]}


def test_a_shape_is_the_same_in_every_process() -> None:
    script = "from integration.aggregates.rebuild import *; from integration.aggregates.snapshots import *;"
    script = f"import django; django.setup(); {script} print([shape_of(model) for model in aggregates()])"

    def shapes(seed: str) -> str:
        process = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    assert shapes("1") == shapes("2") != ""


# --- A long life ---

MOVEMENTS = 100_000


@pytest.fixture
def long_life() -> Sequence[datetime]:
    """A stock item with 100,000 movements, one second after another; returns the moments of all its versions."""
    open_stock_item(MUG)
    [first_event] = History.objects.filter(stream="stock_item")
    moments = [first_event.occurred_at + timedelta(seconds=n) for n in range(MOVEMENTS + 1)]
    History.objects.bulk_create(
        [
            History(
                id=new_event_id(),
                stream="stock_item",
                stream_id=MUG,
                version=n + 1,
                name="inventory.stock_received",
                schema_version=1,
                data={"quantity": 1, "reference": ""},
                occurred_at=moments[n],
                correlation_id=first_event.correlation_id,
                actor="system",
            )
            for n in range(1, MOVEMENTS + 1)
        ],
        batch_size=1_000,
    )
    with bypassing_history():
        StockItem.objects.update(version=MOVEMENTS + 1, on_hand=MOVEMENTS, updated_at=moments[-1])
    assert rebuild_snapshots(StockItem) == MOVEMENTS // EVERY
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return moments


def test_a_past_state_of_100_000_movements_reads_a_bounded_number_of_rows(
    long_life: Sequence[datetime], statements: Any
) -> None:
    versions = [1, 2, EVERY, EVERY + 1, 50_000, 77_777, MOVEMENTS, MOVEMENTS + 1]
    for version in versions:
        with record_entries_read() as read, statements() as seen:
            item = past.as_of(StockItem, MUG, long_life[version - 1] + timedelta(milliseconds=1))
        assert (item.version, item.on_hand) == (version, version - 1)
        assert len(read) <= EVERY
        assert len(seen) == 2
        with record_entries_read() as read, statements() as seen:
            assert state_of(past.at_version(StockItem, MUG, version)) == state_of(item)
        assert len(read) <= EVERY
        assert len(seen) == 2
    assert verify(["events.rows"])["events.rows_are_their_histories"].offenders == []
