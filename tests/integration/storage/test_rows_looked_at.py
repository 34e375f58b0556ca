"""Frequent queries read only the rows they need, and not whole tables; PostgreSQL's statistics show this."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.identifiers import Sku, new_event_id
from integration.messaging import parking
from integration.messaging.claim import BATCH, LEASE, claim
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.outcomes import mark_done, take
from integration.messaging.wakeups import DeliveryQueue
from integration.read_models.builds import to_catch_up
from integration.read_models.catch_up import catch_up, catch_up_all
from integration.read_models.lag import lag
from integration.read_models.registry import of_context
from integration.storage.reading import read
from integration.storage.rows import Row, blank
from integration.storage.writing import Insert, Update, write
from inventory.commands import stock_up
from inventory.models import History, StockItem

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no statistics of rows read"),
]

MANY = 5_000
REPETITIONS = range(12)
"""Often enough that PostgreSQL uses a generic plan, which does not depend on the parameters."""


@pytest.fixture
def rows_read() -> Callable[[type[Any], Callable[[], object]], int]:
    """A function that returns how many rows of a table are read by an action, through an index or by a scan."""

    def rows_of(model: type[Any]) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = %s",
                [model._meta.db_table],
            )
            return int(cursor.fetchone()[0])

    def count(model: type[Any], do: Callable[[], object]) -> int:
        before = rows_of(model)
        do()
        return rows_of(model) - before

    return count


@pytest.fixture
def many_items() -> list[str]:
    """Many stock items with an event each. The read models have caught up."""
    skus = [f"SKU-{i}" for i in range(MANY)]
    stock_up([(Sku(sku), 1) for sku in skus])
    catch_up_all()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return skus


def test_looking_for_new_events_does_not_scan_the_history(
    many_items: list[str], rows_read: Callable[[type[Any], Callable[[], object]], int]
) -> None:
    def look() -> None:
        for _ in REPETITIONS:
            assert to_catch_up(of_context("inventory")) == []
            assert not any(each.events for each in lag())
            catch_up("inventory.stock-per-day")

    assert rows_read(History, look) < MANY / 10


def test_reads_and_updates_by_key_do_not_scan_the_table(
    many_items: list[str], rows_read: Callable[[type[Any], Callable[[], object]], int]
) -> None:
    few = many_items[:3]

    def read_and_change() -> None:
        for _ in REPETITIONS:
            assert len(read(StockItem, "sku", few, locked=True)) == 3
            write({Update(StockItem, ("reserved",)): [{"sku": sku, "reserved": 1} for sku in few]})

    assert rows_read(StockItem, read_and_change) < MANY / 10


def message_to_inventory() -> tuple[Row, Row]:
    """A message, and the columns that all its deliveries have in common."""
    message = {**blank(Message), "id": new_event_id(), "name": "test", "version": 1, "data": {}}
    message |= {"occurred_at": clock.now(), "correlation_id": new_event_id(), "actor": "system", "addressed_to": MANY}
    return message, {**blank(Delivery), "message_id": message["id"], "context": "inventory", "external": False}


def test_handling_a_few_deliveries_does_not_scan_the_pending_ones(
    rows_read: Callable[[type[Any], Callable[[], object]], int],
) -> None:
    now = clock.now()
    message, delivery = message_to_inventory()
    in_flight = {"attempts": 1, "in_flight": True, "due_at": now + LEASE}
    waiting = {"due_at": now - timedelta(seconds=1)}
    done = {"status": Status.DONE, "done_at": now, "due_at": now}
    write({Insert(Message): [message]})
    write({Insert(Delivery): [{**delivery, "consumer": f"done.{i}", **done} for i in range(MANY)]})
    with connection.cursor() as cursor:  # autovacuum does the same, mostly while few deliveries are pending
        cursor.execute("ANALYZE integration_delivery")
    pending = [in_flight if i < BATCH else waiting for i in range(MANY)]
    write({Insert(Delivery): [{**delivery, "consumer": f"inventory.{i}", **each} for i, each in enumerate(pending)]})
    handled = []

    def handle_some() -> None:
        for _ in REPETITIONS:
            with unit_of_work():
                deliveries = take(claim(DeliveryQueue("inventory", False), 4), locked=True)
                mark_done(deliveries)
            handled.extend(deliveries)

    assert rows_read(Delivery, handle_some) < MANY / 4
    assert len(handled) == 4 * len(REPETITIONS)


@pytest.mark.django_db(transaction=True)
def test_the_index_on_pending_deliveries_does_not_grow_with_finished_ones() -> None:
    message, delivery = message_to_inventory()
    write({Insert(Message): [message]})

    def index_growth(name: str) -> int:
        """Return by how many pages the index grows while a thousand deliveries are stored and handled."""
        before = index_pages()
        for n in range(20):
            due = {"due_at": clock.now()}
            write({Insert(Delivery): [{**delivery, **due, "consumer": f"{name}.{n}.{i}"} for i in range(BATCH)]})
            with unit_of_work():
                mark_done(take(claim(DeliveryQueue("inventory", False), BATCH), locked=True))
        return index_pages() - before

    # PostgreSQL cannot remove index entries that an open snapshot may still need, such as that of an ANALYZE. The index
    # may grow meanwhile, so several attempts are made.
    assert any(index_growth(f"inventory.{n}") <= 2 for n in range(40)), open_snapshots()
    assert not Delivery.objects.exclude(status=Status.DONE).exists()


def test_parking_what_is_in_front_does_not_read_all_that_is_due(
    rows_read: Callable[[type[Any], Callable[[], object]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statistics are of a moment before the deliveries came, when hardly any was due."""
    monkeypatch.setattr(parking, "AT_ONCE", MANY // 5)
    now = clock.now()
    message, delivery = message_to_inventory()
    done, waiting = {"status": Status.DONE, "done_at": now, "due_at": now}, {"due_at": now - timedelta(seconds=1)}
    write({Insert(Message): [message]})
    before = [waiting if i < MANY // 50 else done for i in range(MANY)]
    write({Insert(Delivery): [{**delivery, "consumer": f"early.{i}", **each} for i, each in enumerate(before)]})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integration_delivery")
    write({Insert(Delivery): [{**delivery, "consumer": f"late.{i}", **waiting} for i in range(MANY)]})

    parked = []
    looked_at = rows_read(Delivery, lambda: parked.append(parking._park_first(DeliveryQueue("inventory", False))))

    assert parked == [MANY // 5]
    assert looked_at <= 2 * MANY // 5  # once to find them, once to change them


def index_pages() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size('pending_by_lane_lost_first') / 8192")
        return int(cursor.fetchone()[0])


def open_snapshots() -> list[Any]:
    """Return the other processes that hold a snapshot of the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT backend_type, state, xact_start, query FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()"
        )
        return list(cursor.fetchall())
