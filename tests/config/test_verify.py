"""`manage.py verify` finds no offender in a correct shop, and names each planted inconsistency."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from json import loads
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing.commands import refund_in_part
from billing.models import Discrepancy, Payment, invoice_of
from fulfillment import commands as fulfillment
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, ShipmentId
from integration.domain.money import Money
from integration.invariants import always, invariants
from integration.read_models.catch_up import catch_up_all
from integration.read_models.history_reader import number
from integration.read_models.late import LATE
from integration.read_models.models import ReadModelBuild

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
    "an event that is numbered too low": (
        f"UPDATE ordering_history SET {number()} = -{number()} WHERE name = 'ordering.order_confirmed'",  # noqa: S608
        "read_models.numbers_increase_with_versions: ordering_history: version",
    ),
    "an event forgotten": (
        "DELETE FROM ordering_history WHERE name = 'ordering.order_confirmed'",
        "events.rows_are_their_histories: order R-",
    ),
    "an event renamed": (
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
    """Run the command; returns its output, and the error if there are offenders."""
    said = StringIO()
    try:
        call_command("verify", stdout=said, **options)
    except CommandError as error:
        return f"{said.getvalue()}\n{error}"
    return said.getvalue()


def test_a_correct_shop_has_no_offenders(at_rest: OrderNumber, drain: Callable[..., int]) -> None:
    assert "offenders\n" not in verify().splitlines()[-1]
    shipment = ShipmentId(f"S{at_rest[1:]}-1")
    fulfillment.dispatch_shipment(shipment, "DHL", "1")
    drain()
    fulfillment.deliver_shipment(shipment)
    drain()
    findings = loads(verify(json=True))
    assert all(finding["offenders"] == [] for finding in findings.values())
    assert findings["events.rows_are_their_histories"]["looked_at"] > 10


def test_a_partial_refund_lowers_what_the_order_owes_by_its_amount(
    at_rest: OrderNumber, drain: Callable[..., int]
) -> None:
    refund_in_part(invoice_of(at_rest), Money("5", "USD"), "scratched")
    drain()
    assert all(finding["offenders"] == [] for finding in loads(verify(json=True)).values())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_invoice SET granted_minor = granted_minor - 1 WHERE granted_minor > 0")
    assert f"{at_rest} (confirmed): captured 10500, refunded 500, owes 10001" in verify()


@pytest.mark.usefixtures("unprotected_history")
@pytest.mark.parametrize(("sql", "named"), PLANTED.values(), ids=PLANTED)
def test_a_planted_inconsistency_is_named(at_rest: OrderNumber, sql: str, named: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.rowcount > 0
    said = verify()
    assert named in said
    assert said.rstrip().endswith("offenders")


@pytest.mark.usefixtures("unprotected_history")
def test_a_history_that_can_be_changed_is_named(db: None) -> None:
    assert "events.history_is_append_only: ordering_history can be changed" in verify()


def test_an_order_whose_deadline_has_passed_long_ago_is_named(placed: Callable[..., OrderNumber]) -> None:
    order = placed()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM integration_delivery")
    assert "waits for nothing" not in verify()
    with clock.moved(timedelta(hours=1)):
        assert f"{order}: pending, and waits for nothing" in verify()


def test_a_read_model_that_has_stopped_is_named(at_rest: OrderNumber) -> None:
    catch_up_all()
    only = ["read_models.are_caught_up"]
    assert verify(only=only).rstrip().splitlines()[-1].startswith("└")

    ReadModelBuild.objects.filter(read_model="ordering.order-board").update(error="KeyError: 'x'")
    assert "read model ordering.order-board has stopped: its projection failed" in verify(only=only)


def test_a_read_model_that_is_minutes_behind_is_named(at_rest: OrderNumber, placed: Callable[..., OrderNumber]) -> None:
    catch_up_all()
    placed()
    only = ["read_models.are_caught_up"]
    assert "behind" not in verify(only=only), "seconds do not matter"

    with clock.moved(LATE):
        assert "read model ordering.order-board is " in verify(only=only)


def test_checks_can_be_selected_by_name(at_rest: OrderNumber) -> None:
    assert set(loads(verify(json=True, only=["money."]))) == {"money.captured_less_refunded_is_what_orders_owe"}


# --- The provider's books ---


def books(**options: Any) -> str:
    """The output of the comparison with the provider's books, when all payments are old enough for it."""
    with clock.moved(timedelta(hours=1)):
        return verify(provider=True, only=["money.books"], **options)


def test_the_books_are_compared_only_when_asked_for(at_rest: OrderNumber) -> None:
    assert "money.books_are_the_providers" not in verify()
    assert "money.books_are_the_providers │ 2" in books()


@pytest.mark.parametrize(
    ("sql", "difference"),
    [
        ("UPDATE sandbox_transaction SET amount_minor = 1", "we have 105.00 USD, the provider 0.01 USD"),
        ("UPDATE sandbox_transaction SET reference = 'ch_other' WHERE decline_code = ''", "the provider's is ch_other"),
        ("DELETE FROM sandbox_transaction", "we have it as paid, the provider has no charge under this key"),
        (
            "UPDATE sandbox_transaction SET \"key\" = 'P-9-1' WHERE decline_code = ''",
            "P-9-1: the provider moved 105.00 USD that we did not request",
        ),
        (
            "UPDATE billing_payment SET status = 'unknown', reference = '' WHERE status = 'succeeded'",
            "we have it as unknown, the provider charged",
        ),
    ],
)
def test_what_differs_from_the_providers_books_is_named_and_nothing_is_changed(
    at_rest: OrderNumber, sql: str, difference: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
    before = list(Payment.objects.order_by("pk").values())
    assert difference in books()
    assert list(Payment.objects.order_by("pk").values()) == before
    assert not Discrepancy.objects.exists()


def test_the_books_are_compared_as_far_back_as_asked(at_rest: OrderNumber) -> None:
    with clock.moved(timedelta(days=3)):
        assert "money.books_are_the_providers │ 0" in verify(provider=True, only=["money.books"], days=2)
        assert "money.books_are_the_providers │ 2" in verify(provider=True, only=["money.books"], days=4)


def test_an_unreachable_provider_is_reported(at_rest: OrderNumber, cut_line: Callable[..., None]) -> None:
    cut_line(True)
    assert "the provider could not be reached" in books()


# --- Time ---


@pytest.fixture
def slow_check() -> Iterator[None]:
    """An invariant whose query never ends."""
    sql = """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000000)
        SELECT 'x' AS what, count(*) < 0 AS bad FROM n
    """
    always("slow.counting")(lambda: sql)
    yield
    del invariants._by_name["slow.counting"]


@pytest.mark.django_db(transaction=True)
def test_a_check_that_takes_too_long_is_reported_as_unfinished(at_rest: OrderNumber, slow_check: None) -> None:
    said = verify(timeout=5)
    assert re.search(r"slow.counting +│ +\? +│ not finished", said)
    assert said.endswith("0 offenders, and 1 checks not finished in time")
    assert said.count("not finished") == 2, "the others are"


@pytest.mark.parametrize("wrong", [{"newest": -1}, {"days": -1}, {"timeout": 0.0}])
def test_options_out_of_range_are_refused(db: None, wrong: dict[str, Any]) -> None:
    assert "is more than 0" in verify(**wrong)
