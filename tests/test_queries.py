"""Statements in constant number: an order of 300 lines costs the database as many round trips as one of three."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from fulfillment.commands import dispatch_shipment
from fulfillment.models import Shipment
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.messaging.deliver import deliver_due
from integration.messaging.doorbell import Lane
from integration.messaging.models import Delivery, Status
from inventory.commands import stock_up
from inventory.models import Reservation
from ordering.commands import list_products, place_order
from ordering.models import Order

pytestmark = pytest.mark.django_db

STATEMENTS = {
    "placing": 12,
    "reserving": 13,
    "charging": 13,
    "confirming": 13,
    "committing": 7,
    "taking off the shelf": 10,
    "noting the dispatch": 9,
}
"""How many statements each step of an order takes, claims included; on SQLite and on PostgreSQL alike."""

Count = Callable[[], Any]


@contextmanager
def _only(consumer: str) -> Iterator[None]:
    """Let nothing but one consumer's deliveries be due."""
    others = Delivery.objects.filter(status=Status.PENDING).exclude(consumer=consumer)
    held_back = list(others.values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=held_back).update(status=Status.DEAD)
    yield
    Delivery.objects.filter(pk__in=held_back).update(status=Status.PENDING)


def _handling(consumer: str, statements: Count, outside: bool = False) -> int:
    """How many statements it takes to handle what waits for a consumer."""
    with _only(consumer), statements() as seen:
        assert deliver_due(Lane(consumer.partition(".")[0], outside)) == 1
    assert Delivery.objects.get(consumer=consumer).status == Status.DONE
    return len(seen)


def _placing_and_all_that_follows(lines: int, address: Address, statements: Count) -> Mapping[str, int]:
    skus = [Sku(f"SKU-{n}") for n in range(lines)]
    list_products([(sku, sku, "", Money("1", "USD")) for sku in skus])
    stock_up([(sku, 1_000) for sku in skus])
    Delivery.objects.update(status=Status.DONE, done_at=clock.now())
    wanted = [(sku, 2) for sku in skus]
    with statements() as placing:
        place_order(BuyerId("B-1"), wanted, address, PaymentMethodId("pm_card_visa"))
    counts = {"placing": len(placing), "reserving": _handling("inventory.reserve-stock", statements)}
    for consumer in ("billing.issue-invoice", "billing.request-payment", "ordering.await-payment"):
        _handling(consumer, statements)
    counts["charging"] = _handling("billing.collect-payment", statements, outside=True)
    counts["confirming"] = _handling("ordering.confirm-paid-order", statements)
    counts["committing"] = _handling("inventory.commit-reservation", statements)
    _handling("fulfillment.arrange-shipment", statements)
    dispatch_shipment(ShipmentId(Shipment.objects.get().id), "DHL", "JD0143")
    counts["taking off the shelf"] = _handling("inventory.take-off-the-shelf", statements)
    counts["noting the dispatch"] = _handling("ordering.note-dispatch", statements)
    assert (Order.objects.get().status, Reservation.objects.get().status) == ("shipped", "shipped")
    return counts


@pytest.mark.parametrize("lines", [3, 300, 2_000])
def test_an_order_takes_the_same_number_of_statements_whatever_its_length(
    lines: int, address: Address, statements: Count
) -> None:
    assert _placing_and_all_that_follows(lines, address, statements) == STATEMENTS
