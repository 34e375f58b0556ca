"""On tables partitioned by month, as the documentation describes, everything works; one guarantee is weaker."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from config.verification import REBUILD, verify
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, PaymentMethodId, Sku, new_event_id
from integration.domain.money import Money
from integration.messaging.archive import archive_batch
from inventory.commands import stock_up
from ordering.commands import list_products, place_order
from ordering.models import History, Order

RECIPE = Path(settings.BASE_DIR) / "docs" / "partition_by_month.sql"
OTHERS = ("billing_history", "inventory_history", "fulfillment_history", "integration_archivedmessage")

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has partitions"),
]


@pytest.fixture
def by_month(db: None) -> None:
    """Partition all tables that the documentation names, from last month on. The test's rollback undoes it."""
    first = (clock.now().replace(day=1) - timedelta(days=1)).replace(day=1).date()
    recipe = RECIPE.read_text() + "".join(f"CALL partition_by_month('{table}', 'id', :first);" for table in OTHERS)
    with connection.cursor() as cursor:
        cursor.execute(recipe.replace(":first", f"'{first}'").replace("%", "%%"), [])


@pytest.fixture
def order(by_month: None, address: Address, drain: Callable[..., int]) -> Order:
    list_products([(Sku("MUG"), "Mug", "", Money("10", "USD"))])
    stock_up([(Sku("MUG"), 9)])
    placed = place_order(BuyerId("B-1"), [(Sku("MUG"), 1)], address, PaymentMethodId("pm_card_visa"))
    drain()
    return Order.objects.get(pk=placed.pk)


def partitions_of(table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT tableoid::regclass::text FROM {table}")  # noqa: S608 - a name of ours
        return {name for (name,) in cursor.fetchall()}


def test_an_order_is_processed_archived_and_verified(order: Order) -> None:
    this_month = f"{clock.now():%Y_%m}"
    assert order.status == "confirmed"
    assert partitions_of("ordering_history") == {f"ordering_history_{this_month}"}
    assert partitions_of("integration_delivery") == {f"integration_delivery_{this_month}"}
    with clock.moved(timedelta(days=100)):
        assert archive_batch(100) > 5
    assert partitions_of("integration_archivedmessage") == {f"integration_archivedmessage_{this_month}"}
    assert {name: finding.offenders for name, finding in verify().items() if finding.offenders} == {}


def test_partitions_are_append_only_like_their_table(order: Order) -> None:
    for table in ("ordering_history", *partitions_of("ordering_history")):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET version = 7")  # noqa: S608 - a name of ours


def test_a_version_is_unique_within_a_month_and_verify_finds_duplicates_across_months(order: Order) -> None:
    duplicate = History.objects.filter(stream=Order.stream, stream_id=order.pk).order_by("version")[0]
    duplicate.pk = new_event_id()
    with pytest.raises(IntegrityError, match="stream_id"), transaction.atomic():
        History.objects.bulk_create([duplicate])
    duplicate.pk = UUID(int=duplicate.pk.int - (40 * 86_400_000 << 80))  # as if made forty days ago
    History.objects.bulk_create([duplicate])
    assert len(partitions_of("ordering_history")) == 2
    assert [order.pk in offender for offender in verify([REBUILD])[REBUILD].offenders] == [True]


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        ("DISABLE TRIGGER ALL", "a trigger is not enabled always"),
        ("ENABLE TRIGGER ordering_history_is_append_only", "a trigger is not enabled always"),
    ],
)
def test_verify_names_a_partition_whose_triggers_are_off(order: Order, change: str, clause: str) -> None:
    name = "events.history_is_append_only"
    assert verify([name])[name].complaints == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE ordering_history_past {change}")
    assert verify([name])[name].offenders == [f"ordering_history_past can be changed: it lacks its triggers [{clause}]"]
