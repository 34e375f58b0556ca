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
from config.invariants.waiting import MOVES_NO_ORDER
from fulfillment import commands as fulfillment
from integration.aggregates import rebuild
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, ShipmentId
from integration.domain.money import Money
from integration.invariants import Check, always, invariants
from integration.messaging.consumers import consumers
from integration.messaging.models import Delivery, Message
from integration.read_models.catch_up import catch_up_all
from integration.read_models.history_reader import number
from integration.read_models.late import LATE
from integration.read_models.models import ReadModelBuild
from ordering.models import Order
from tests.config.planted_offenders import replaced

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
    assert f"{at_rest} (confirmed): captured 10500, to be captured 0, refunded 500, owes 10001" in verify()


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


@pytest.mark.parametrize("only", [["mony."], ["money.", "process.x"], ["money.books_are_the_providers"]])
def test_a_name_that_no_check_has_is_refused_with_the_names(db: None, only: list[str]) -> None:
    said = verify(only=only)
    assert f"No check has a name that begins with {only[-1]!r}" in said
    assert all(name in said for name in [*dict(invariants.items()), "events.rows_are_their_histories"])


def test_a_check_that_looked_at_nothing_says_so(db: None) -> None:
    assert re.search(r"money.captured\w+ +│ +0 +│ +nothing to look at", verify(only=["money."]))


# --- What cannot be read ---


@pytest.fixture
def broken_checks() -> Iterator[None]:
    """Invariants whose queries fail in several ways."""
    for name, row in {"table": "no_such_table", "column": "ordering_order", "text": "(SELECT 1 AS n) AS x"}.items():
        check = Check(rows=row, what="'x'", never={"it is": "no_such_column = 1"})
        always(f"broken.{name}")(lambda check=check: check)
    yield
    for name in ("table", "column", "text"):
        del invariants._by_name[f"broken.{name}"]


@pytest.mark.django_db(transaction=True)
def test_a_check_that_raises_is_not_finished_and_the_others_go_on(at_rest: OrderNumber, broken_checks: None) -> None:
    said = verify()
    assert said.endswith("0 offenders, and 3 checks not finished")
    assert re.search(r"broken.table: not finished: (Operational|Programming)Error: .*no_such_table", said)
    found = loads(verify(json=True).partition("\n0 offenders")[0])
    assert {name for name, finding in found.items() if not finding["finished"]} == {
        "broken.table",
        "broken.column",
        "broken.text",
    }
    assert "no_such_column" in found["broken.text"]["reason"]


UNREADABLE = {
    "a fact that lacks a field": ("ordering_history", '"buyer"', '"bayer"', "ordering.order_confirmed"),
    "a quantity that is no number": ("inventory_history", '"quantity"', '"quantities"', "inventory.stock_received"),
    "an amount with too many decimals": ("billing_history", '"105.00"', '"105.001"', "billing.invoice_paid"),
    "a currency that does not exist": ("billing_history", '"USD"', '"XXL"', "billing.payment_succeeded"),
}


@pytest.mark.usefixtures("unprotected_history")
@pytest.mark.parametrize("broken", UNREADABLE.values(), ids=UNREADABLE)
def test_a_fact_that_cannot_be_read_is_an_offender_and_the_rest_goes_on(
    at_rest: OrderNumber, broken: tuple[str, str, str, str]
) -> None:
    table, old, new, name = broken
    with connection.cursor() as cursor:
        cursor.execute(replaced(table, "data", old, new, where=f"name = '{name}'"))
        assert cursor.rowcount > 0
    finding = loads(verify(json=True, only=["events.rows"]).partition("\n\n")[0])["events.rows_are_their_histories"]
    assert finding["finished"]
    assert finding["looked_at"] > 10
    assert finding["offenders"]
    assert all(f", {name}, cannot be read: " in each for each in finding["offenders"])


@pytest.mark.usefixtures("unprotected_history")
def test_a_personal_value_that_cannot_be_read_is_an_offender(at_rest: OrderNumber) -> None:
    with connection.cursor() as cursor:
        cursor.execute(replaced("integration_personaldata", '"values"', '"GB"', '"XX"'))
    said = verify(only=["events.rows"])
    assert re.search(r"order R-\S+ version 1, ordering.order_placed, cannot be read: ", said)
    assert re.search(r"shipment S-\S+ version 1, fulfillment.shipment_arranged, cannot be read: ", said)


ROWS_AND_HISTORIES = {
    "a column differs": ("UPDATE ordering_order SET note = 'x'", "note is 'x', by its history ''"),
    "a part differs": ("UPDATE ordering_orderline SET name = 'x'", "lines is [{"),
    "a part is missing": ("DELETE FROM ordering_orderline WHERE sku = 'MUG'", "lines is [{"),
    "an event is missing": ("DELETE FROM ordering_history WHERE name = 'ordering.order_confirmed'", "but 3 events"),
    "a version is left out": (
        "UPDATE ordering_history SET version = 9 WHERE name = 'ordering.order_confirmed'",
        "version 4, but the versions of its events have gaps",
    ),
    "an event is of another kind": (
        "UPDATE ordering_history SET name = 'ordering.order_vanished' WHERE name = 'ordering.order_confirmed'",
        "cannot be rebuilt by this code: no domain event is named 'ordering.order_vanished'",
    ),
    "an event led where it must not": (
        "UPDATE ordering_history SET name = 'ordering.order_delivered', data = "
        "(SELECT data FROM ordering_history WHERE name = 'ordering.order_goods_reserved' LIMIT 1) "
        "WHERE name = 'ordering.order_goods_reserved'",
        "cannot be read",
    ),
    "an event is dated before the one before": (
        "UPDATE ordering_history SET occurred_at = '2020-01-01 00:00:00' WHERE name = 'ordering.order_confirmed'",
        "version 3 is dated before version 2",
    ),
}


@pytest.mark.usefixtures("unprotected_history")
@pytest.mark.parametrize(("sql", "named"), ROWS_AND_HISTORIES.values(), ids=ROWS_AND_HISTORIES)
def test_each_way_in_which_a_row_is_not_its_history_is_named(at_rest: OrderNumber, sql: str, named: str) -> None:
    assert "nothing to look at" not in verify(only=["events.rows"])
    with connection.cursor() as cursor:
        cursor.execute(sql)
    assert re.search(f"events.rows_are_their_histories: order R-.*{re.escape(named)}", verify(only=["events.rows"]))


@pytest.mark.parametrize("events", [1, 3, 4, 1_000])
def test_batches_of_any_size_find_the_same(at_rest: OrderNumber, monkeypatch: pytest.MonkeyPatch, events: int) -> None:
    monkeypatch.setattr(rebuild, "EVENTS_AT_ONCE", events)
    assert rebuild.rows_are_their_histories().offenders == []
    everything = rebuild.rows_are_their_histories().looked_at
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_stockitem SET on_hand = on_hand + 1")
    found = rebuild.rows_are_their_histories()
    assert (len(found.offenders), found.looked_at) == (4, everything)
    assert len(rebuild.rows_are_their_histories(newest=2).offenders) == 2


# --- What hides nothing ---


@pytest.mark.parametrize("status", ["dead", "pending"])
@pytest.mark.parametrize("consumer", MOVES_NO_ORDER)
def test_a_delivery_that_moves_no_order_hides_nothing(at_rest: OrderNumber, consumer: str, status: str) -> None:
    message = Message.objects.filter(correlation_id=Order.objects.get(pk=at_rest).correlation_id).first()
    Delivery.objects.create(message=message, consumer=consumer, context=consumer.partition(".")[0], status=status)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_invoice SET refunded_minor = paid_minor, refund_owed_minor = paid_minor")
        cursor.execute("UPDATE fulfillment_shipment SET status = 'cancelled'")
    said = verify(only=["money.", "process."])
    assert f"money.captured_less_refunded_is_what_orders_owe: {at_rest}" in said
    assert f"process.contexts_agree_at_rest: {at_rest}" in said
    assert f"process.every_order_ended_or_waits_for_something: {at_rest}" in said


def test_the_consumers_that_move_no_order_exist() -> None:
    assert set(MOVES_NO_ORDER) < set(dict(consumers.items()))


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
    rows = """
        (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000000)
         SELECT count(*) AS n FROM n) AS counted
    """
    always("slow.counting")(lambda: Check(rows=rows, what="'x'", never={"too few": "n < 0"}))
    yield
    del invariants._by_name["slow.counting"]


@pytest.mark.django_db(transaction=True)
def test_a_check_that_takes_too_long_is_reported_as_unfinished(at_rest: OrderNumber, slow_check: None) -> None:
    said = verify(timeout=5)
    assert re.search(r"slow.counting +│ +\? +│ not finished", said)
    assert "slow.counting: not finished: a statement took longer than 5 s" in said
    assert said.endswith("0 offenders, and 1 checks not finished")
    assert said.count("not finished") == 3, "the others are"


@pytest.mark.parametrize("wrong", [{"newest": -1}, {"days": -1}, {"timeout": 0.0}])
def test_options_out_of_range_are_refused(db: None, wrong: dict[str, Any]) -> None:
    assert "is more than 0" in verify(**wrong)
