"""What is asked all the time looks at what it is about, and not at all there ever was; PostgreSQL's own counts tell."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.identifiers import Sku, new_event_id
from integration.messaging.claim import BATCH, LEASE, claim
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.outcomes import mark_done, take
from integration.messaging.wakeups import DeliveryQueue
from integration.read_models.batch import of_context
from integration.read_models.catch_up import behind, catch_up, catch_up_all
from integration.read_models.lag import lag
from integration.storage.reading import read
from integration.storage.rows import Row, blank
from integration.storage.writing import Insert, Update, write
from inventory.commands import stock_up
from inventory.models import History, StockItem

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite counts no rows"),
]

MANY = 5_000
OFTEN = range(12)
"""So often that PostgreSQL has settled for a plan that does for all values."""


@pytest.fixture
def looked_at() -> Callable[[type[Any], Callable[[], object]], int]:
    """How many rows of a table are looked at meanwhile, by way of an index or without."""

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
    """A great many goods, each with an event of its own, all shown by the read models."""
    skus = [f"SKU-{i}" for i in range(MANY)]
    stock_up([(Sku(sku), 1) for sku in skus])
    catch_up_all()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return skus


def test_whoever_looks_for_news_does_not_go_through_the_history(
    many_items: list[str], looked_at: Callable[[type[Any], Callable[[], object]], int]
) -> None:
    def look() -> None:
        for _ in OFTEN:
            assert behind(of_context("inventory")) == {}
            assert not any(each.events for each in lag())
            catch_up("inventory.stock-per-day")

    assert looked_at(History, look) < MANY / 10


def test_rows_are_read_and_changed_by_their_keys(
    many_items: list[str], looked_at: Callable[[type[Any], Callable[[], object]], int]
) -> None:
    few = many_items[:3]

    def read_and_change() -> None:
        for _ in OFTEN:
            assert len(read(StockItem, "sku", few, locked=True)) == 3
            write({Update(StockItem, ("reserved",)): [{"sku": sku, "reserved": 1} for sku in few]})

    assert looked_at(StockItem, read_and_change) < MANY / 10


def told_to_inventory() -> tuple[Row, Row]:
    """A message, and what all its deliveries have in common."""
    message = {**blank(Message), "id": new_event_id(), "name": "test", "version": 1, "data": {}}
    message |= {"occurred_at": clock.now(), "correlation_id": new_event_id(), "actor": "system", "addressed_to": MANY}
    return message, {**blank(Delivery), "message_id": message["id"], "context": "inventory", "outside": False}


def test_who_handles_some_deliveries_does_not_look_at_all_the_others(
    looked_at: Callable[[type[Any], Callable[[], object]], int],
) -> None:
    now = clock.now()
    message, delivery = told_to_inventory()
    in_hand = {"attempts": 1, "in_hand": True, "due_at": now + LEASE}
    waiting = {"due_at": now - timedelta(seconds=1)}
    done = {"status": Status.DONE, "done_at": now, "due_at": now}
    write({Insert(Message): [message]})
    write({Insert(Delivery): [{**delivery, "consumer": f"done.{i}", **done} for i in range(MANY)]})
    with connection.cursor() as cursor:  # as it does by itself, mostly while next to nothing is pending
        cursor.execute("ANALYZE integration_delivery")
    pending = [in_hand if i < BATCH else waiting for i in range(MANY)]
    write({Insert(Delivery): [{**delivery, "consumer": f"inventory.{i}", **each} for i, each in enumerate(pending)]})
    handled = []

    def handle_some() -> None:
        for _ in OFTEN:
            with unit_of_work():
                deliveries = take(claim(DeliveryQueue("inventory", False), 4), locked=True)
                mark_done(deliveries)
            handled.extend(deliveries)

    assert looked_at(Delivery, handle_some) < MANY / 4
    assert len(handled) == 4 * len(OFTEN)


@pytest.mark.django_db(transaction=True)
def test_what_is_over_does_not_pile_up_in_front_of_what_is_pending() -> None:
    message, delivery = told_to_inventory()
    write({Insert(Message): [message]})

    def grows_by(name: str) -> int:
        """Pages of the index, while a thousand deliveries come and are done."""
        before = pages()
        for n in range(20):
            due = {"due_at": clock.now()}
            write({Insert(Delivery): [{**delivery, **due, "consumer": f"{name}.{n}.{i}"} for i in range(BATCH)]})
            with unit_of_work():
                mark_done(take(claim(DeliveryQueue("inventory", False), BATCH), locked=True))
        return pages() - before

    # While somebody looks at an older state, as PostgreSQL's own ANALYZE does, nothing is over, and it may grow.
    assert any(grows_by(f"inventory.{n}") <= 2 for n in range(40)), who_looks_back()
    assert not Delivery.objects.exclude(status=Status.DONE).exists()


def pages() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size('pending_by_lane_lost_first') / 8192")
        return int(cursor.fetchone()[0])


def who_looks_back() -> list[Any]:
    """Whom PostgreSQL keeps an older state for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT backend_type, state, xact_start, query FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()"
        )
        return list(cursor.fetchall())
