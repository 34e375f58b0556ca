"""`manage.py verify` is quiet about a sound shop, and names each planted inconsistency."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from json import loads
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from fulfillment import commands as fulfillment
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, ShipmentId

PLANTED = {
    "a stock row edited by hand": (
        "UPDATE inventory_stockitem SET on_hand = on_hand + 1 WHERE sku = 'MUG'",
        "inventory.on_hand_is_what_moved: MUG",
    ),
    "a promise edited by hand": (
        "UPDATE inventory_stockitem SET reserved = reserved + 1 WHERE sku = 'MUG'",
        "inventory.reserved_is_what_orders_hold: MUG",
    ),
    "a delivery deleted": (
        "DELETE FROM integration_delivery WHERE consumer = 'billing.issue-invoice'",
        "events.each_consumer_has_one_delivery: ordering.order-placed",
    ),
    "a payment taken back": (
        "UPDATE billing_payment SET status = 'failed'",
        "billing.paid_is_its_payments: I-",
    ),
    "a refund nobody issued": (
        "UPDATE billing_invoice SET refund_owed_minor = 1, refunded_minor = 1 WHERE paid_minor > 0",
        "billing.refunded_is_its_refunds: I-",
    ),
    "an order's status changed": (
        "UPDATE ordering_order SET status = 'shipped' WHERE status = 'confirmed'",
        "process.contexts_agree_at_rest: R-",
    ),
    "an order's price changed": (
        "UPDATE ordering_orderline SET unit_price_minor = unit_price_minor + 1",
        "ordering.total_is_its_lines_less_discount: R-",
    ),
    "a shipment sent by hand": (
        "UPDATE fulfillment_shipment SET status = 'dispatched', carrier = 'DHL'",
        "process.contexts_agree_at_rest: R-",
    ),
    "a buyer's spend edited": (
        "UPDATE ordering_buyer SET spend_minor = 1",
        "ordering.spend_is_its_confirmed_orders: B-1",
    ),
    "an event forgotten": (
        "DELETE FROM ordering_history WHERE name = 'ordering.order_confirmed'",
        "events.rows_are_their_histories: order R-",
    ),
    "an event told differently": (
        "UPDATE ordering_history SET name = 'ordering.order_goods_reserved' WHERE name = 'ordering.order_confirmed'",
        "events.rows_are_their_histories: order R-",
    ),
    "an order that waits for nothing": (
        "UPDATE fulfillment_shipment SET status = 'cancelled'",
        "process.every_order_ended_or_waits_for_something: R-",
    ),
    "goods let go of": (
        "UPDATE inventory_reservation SET status = 'released'",
        "process.nothing_is_confirmed_without_goods_and_money: R-",
    ),
}


@pytest.fixture
def at_rest(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> OrderNumber:
    """An order that is confirmed, and one that was declined."""
    order = placed()
    placed(method="pm_card_chargeDeclined", buyer="B-2")
    drain()
    return order


def verify(**options: Any) -> str:
    """What the command says; raises `CommandError` for offenders."""
    said = StringIO()
    try:
        call_command("verify", stdout=said, **options)
    except CommandError as error:
        return f"{said.getvalue()}\n{error}"
    return said.getvalue()


def test_a_sound_shop_has_no_offenders(at_rest: OrderNumber, drain: Callable[..., int]) -> None:
    assert "offenders\n" not in verify().splitlines()[-1]
    shipment = ShipmentId(f"S{at_rest[1:]}-1")
    fulfillment.dispatch_shipment(shipment, "DHL", "1")
    drain()
    fulfillment.deliver_shipment(shipment)
    drain()
    findings = loads(verify(json=True))
    assert all(finding["offenders"] == [] for finding in findings.values())
    assert findings["events.rows_are_their_histories"]["looked_at"] > 10


@pytest.mark.parametrize(("sql", "named"), PLANTED.values(), ids=PLANTED)
def test_a_planted_inconsistency_is_named(at_rest: OrderNumber, sql: str, named: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.rowcount > 0
    said = verify()
    assert named in said
    assert said.rstrip().endswith("offenders")


def test_an_order_whose_deadline_has_passed_long_ago_is_named(placed: Callable[..., OrderNumber]) -> None:
    order = placed()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM integration_delivery")
    assert "waits for nothing" not in verify()
    with clock.moved(timedelta(hours=1)):
        assert f"{order}: pending, and waits for nothing" in verify()


def test_a_part_can_be_asked_alone(at_rest: OrderNumber) -> None:
    assert set(loads(verify(json=True, only=["money."]))) == {"money.captured_less_refunded_is_what_orders_owe"}
