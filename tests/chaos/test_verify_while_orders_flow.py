"""`verify` names no false offender while orders flow at full rate, and sees a real one.

`VERIFY_RUNS=500 python -m pytest -n 0 tests/chaos/test_verify_while_orders_flow.py` is the long form.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count
from threading import Event, Thread

import pytest
from django.db import connection, connections
from pytest_django import Settings

from billing.commands import refund_in_part
from billing.models import invoice_of
from config.verification import verify
from fulfillment import commands as fulfillment
from fulfillment.models import Shipment
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import DomainError
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.messaging.archive import archive_batch
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.read_models.catch_up import catch_up_all
from inventory.commands import adjust_stock, stock_up
from ordering import commands
from ordering.models import CancellationReason, Order

RUNS = int(os.environ.get("VERIFY_RUNS", "12"))
GOODS = [Sku("MUG"), Sku("LAMP"), Sku("ATLAS")]
METHODS = ["pm_card_visa", "pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined"]

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer"),
]


@pytest.fixture
def flowing(shop: object, address: Address, settings: Settings) -> Iterator[list[BaseException]]:
    """Orders that flow until the end of the test, in threads; yields the errors that the threads raised."""
    settings.ARCHIVE_AFTER = timedelta(seconds=1)
    stock_up([(sku, 1_000_000) for sku in GOODS])
    stop, errors, chance, numbers = Event(), [], random.Random(1), count(1)

    def place() -> None:
        wanted = [(sku, chance.randint(1, 3)) for sku in chance.sample(GOODS, chance.randint(1, 3))]
        buyer = BuyerId(f"B-{next(numbers) // 4}")
        commands.place_order(buyer, wanted, address, PaymentMethodId(chance.choice(METHODS)))

    def move_stock() -> None:
        adjust_stock(GOODS[0], chance.choice([-1, 1]), "count")

    def deliver() -> None:
        for queue in sorted(due_delivery_queues()):
            deliver_due(queue)

    def ship() -> None:
        for key, status in Shipment.objects.exclude(status__in=["delivered", "cancelled"]).values_list("pk", "status")[
            :9
        ]:
            if status == "arranged":
                fulfillment.dispatch_shipment(ShipmentId(key), "DHL", "1")
            else:
                fulfillment.deliver_shipment(ShipmentId(key))

    def change_minds() -> None:
        for number, status in Order.objects.order_by("?").values_list("pk", "status")[:5]:
            with suppress(DomainError):
                if status == "delivered":
                    refund_in_part(invoice_of(OrderNumber(number)), Money("1", "USD"), "scratched")
                else:
                    commands.cancel_order(OrderNumber(number), CancellationReason.BY_BUYER)

    def erase() -> None:
        for buyer in {*Order.objects.order_by("?").values_list("buyer_id", flat=True)[:3]}:
            commands.erase_buyer(BuyerId(buyer))

    def forever(work: Callable[[], object]) -> None:
        try:
            while not stop.wait(0.005):
                with suppress(DomainError):
                    work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    every = (place, move_stock, deliver, ship, change_minds, erase, catch_up_all, lambda: archive_batch(20))
    threads = [Thread(target=forever, args=(work,)) for work in every]
    for thread in threads:
        thread.start()
    yield errors
    stop.set()
    for thread in threads:
        thread.join(60)


def test_verify_names_nothing_while_orders_flow(flowing: list[BaseException]) -> None:
    began = clock.stopwatch()
    while Order.objects.count() < 20 and clock.stopwatch() - began < 60:
        clock.pause(0.1)
    for run in range(RUNS):
        complaints = [f"{name}: {what}" for name, finding in verify(newest=500).items() for what in finding.complaints]
        assert complaints == [], f"run {run}"
    assert flowing == []
    assert Order.objects.count() > 20
