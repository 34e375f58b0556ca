"""Races between real connections: the result is one that would be possible without a race."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from at_once import InThread, at_once
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from billing.commands import refund_in_part, settle_payment
from billing.gateways import Booked, Charged
from billing.gateways.sandbox.adapter import adapter
from billing.models import Invoice, MoreThanIsLeft, Payment, Refund
from config.verification import verify
from fulfillment import commands as fulfillment
from fulfillment.models import Shipment
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.errors import DomainError, NotFound
from integration.domain.identifiers import (
    BuyerId,
    CartId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    ShipmentId,
    Sku,
    buyer_of_user,
    guest_of_cart,
)
from integration.domain.states import NotAllowed
from integration.messaging import external
from integration.messaging import routines as routines_module
from integration.messaging.claim import LEASE, Claim, claim
from integration.messaging.consumer_states import pause
from integration.messaging.dead_letters import replay
from integration.messaging.deliver import _attempt, deliver_due
from integration.messaging.holding import hold
from integration.messaging.models import Delivery
from integration.messaging.outcomes import release
from integration.messaging.wakeups import DeliveryQueue
from inventory.commands import adjust_stock, reserve_stock
from inventory.events import ReservedLine
from inventory.models import Reservation, StockItem
from ordering.commands import (
    cancel_lines,
    cancel_order,
    check_out,
    claim_cart,
    claim_order,
    hold_order,
    open_cart,
    set_item,
)
from ordering.models import CancellationReason, Cart, HoldReason, Order

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, so there are no races"),
]


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Run functions at the same moment; returns their results and domain errors, and raises any other error."""

    def run(*functions: Callable[[], Any]) -> list[Any]:
        results = at_once(*functions)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, DomainError):
                raise result
        return results

    return run


@pytest.fixture
def settle(drain: Callable[..., int]) -> Callable[[], None]:
    """Handle all deliveries, also those that become due in the next 40 seconds."""

    def to_the_end() -> None:
        for seconds in range(0, 40, 2):
            with clock.moved(timedelta(seconds=seconds)):
                drain()

    return to_the_end


@pytest.fixture
def assert_valid() -> Callable[[], None]:
    """Assert that every invariant holds."""

    def check() -> None:
        assert [what for finding in verify().values() for what in finding.complaints] == []

    return check


def status_of(number: OrderNumber) -> str:
    return Order.objects.get(pk=number).status


def refusals(results: list[Any]) -> list[Any]:
    return [result for result in results if isinstance(result, BaseException)]


@pytest.mark.parametrize("units", [1, 3, 10])
def test_the_last_units_are_sold_once(together, shop, placed, drain, settle, assert_valid, units) -> None:
    adjust_stock(Sku("ATLAS"), units - shop["ATLAS"][1], "counted")
    drain()
    orders = [placed({"ATLAS": 1}, buyer=f"B-{i}") for i in range(20)]
    delivery_queue = DeliveryQueue("inventory", False)
    together(*[lambda: deliver_due(delivery_queue)] * 6)
    settle()
    assert [status_of(order) for order in orders].count("confirmed") == units
    assert StockItem.objects.get(pk="ATLAS").available == 0
    assert_valid()


def test_two_orders_for_the_same_goods_in_opposite_order_do_not_deadlock(
    together, shop, placed, drain, settle, assert_valid
) -> None:
    pairs = [({"MUG": 1, "LAMP": 1}, {"LAMP": 1, "MUG": 1}) for _ in range(5)]
    orders = [placed(lines, buyer=f"B-{i}") for i, lines in enumerate(lines for pair in pairs for lines in pair)]
    lines = {
        order: [ReservedLine(line.sku, 1) for line in Order.objects.get(pk=order).line_rows.all()] for order in orders
    }
    results = together(*[lambda order=order: reserve_stock(order, lines[order]) for order in orders])
    assert refusals(results) == []
    assert Reservation.objects.filter(status="held").count() == len(orders)
    settle()
    assert_valid()


def test_an_order_does_not_wait_for_another_of_the_same_buyer(placed) -> None:
    placed()
    with unit_of_work():
        placed()
        [meanwhile] = at_once(placed)
    assert isinstance(meanwhile, str), "the second order must be placed before the first is committed"


def test_a_payment_that_races_its_deadline_ends_confirmed_or_refunded(
    together, shop, placed, drain, settle, assert_valid
) -> None:
    for i in range(5):
        order = placed(buyer=f"B-{i}")
        drain("inventory")
        with clock.moved(timedelta(minutes=31)):
            routine = routines_module.routines.get("ordering.cancel-overdue-orders")
            together(
                routine.run,
                *[
                    lambda delivery_queue=delivery_queue: deliver_due(delivery_queue)
                    for delivery_queue in (DeliveryQueue("ordering", False), DeliveryQueue("billing", False))
                ],
                lambda: deliver_due(DeliveryQueue("billing", True)),
            )
            settle()
        invoice = Invoice.objects.get(order=order)
        assert status_of(order) == ("confirmed" if invoice.paid and not invoice.refunded else "cancelled")
        assert invoice.paid == invoice.refunded or status_of(order) == "confirmed"
    assert_valid()


def test_a_cancellation_that_races_the_dispatch_ends_shipped_or_refunded(
    together, shop, placed, drain, settle, assert_valid
) -> None:
    for i in range(5):
        order = placed(buyer=f"B-{i}")
        drain()
        shipment = ShipmentId(f"S{order[1:]}-1")
        cancel_order(order, CancellationReason.BY_BUYER)
        together(
            partial(fulfillment.dispatch_shipment, shipment, "DHL", "1"),
            lambda: deliver_due(DeliveryQueue("fulfillment", False)),
        )
        settle()
        ends = (status_of(order), Shipment.objects.get(pk=shipment).status)
        assert ends in {("shipped", "dispatched"), ("cancelled", "cancelled")}
    assert_valid()


def test_a_cancellation_that_races_the_dispatch_of_a_part_ends_shipped_in_part_or_refunded(
    together, shop, placed, drain, settle, assert_valid
) -> None:
    for i in range(5):
        order = placed(buyer=f"B-{i}")
        drain()
        cancel_order(order, CancellationReason.BY_BUYER)
        together(
            partial(fulfillment.dispatch_shipment, ShipmentId(f"S{order[1:]}-1"), "DHL", "1", [(Sku("MUG"), 1)]),
            lambda: deliver_due(DeliveryQueue("fulfillment", False)),
        )
        settle()
        ends = (status_of(order), [each.status for each in Shipment.objects.filter(order=order).order_by("pk")])
        assert ends in (("partly_shipped", ["dispatched", "arranged"]), ("cancelled", ["cancelled"]))
    assert_valid()


@pytest.mark.parametrize("lines", [None, [(Sku("MUG"), 2)], [(Sku("LAMP"), 1)]])
def test_of_two_dispatches_of_a_shipment_at_once_one_wins(
    together, shop, placed, drain, settle, assert_valid, lines
) -> None:
    for i in range(5):
        order = placed(buyer=f"B-{i}")
        drain()
        shipment = ShipmentId(f"S{order[1:]}-1")
        results = together(
            partial(fulfillment.dispatch_shipment, shipment, "DHL", "1", [(Sku("MUG"), 1)]),
            partial(fulfillment.dispatch_shipment, shipment, "UPS", "2", lines),
        )
        assert [type(refusal) for refusal in refusals(results)] == [NotAllowed]
        settle()
        assert status_of(order) in ("shipped", "partly_shipped")
    assert_valid()


def test_a_response_of_the_provider_that_arrives_many_times_at_once_counts_once(
    together, shop, placed, drain, settle, assert_valid
) -> None:
    order = placed()
    drain("inventory", "ordering")
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    payment = Payment.objects.get(order=order)
    booked = Booked(payment.idempotency_key, Charged("ch_1"), payment.amount)
    together(*[lambda: settle_payment(PaymentId(payment.id), booked)] * 8)
    assert Invoice.objects.get(order=order).paid == Invoice.objects.get(order=order).total
    assert [f.offenders for name, f in verify(["billing."]).items() if f.offenders] == []


def test_a_call_back_and_a_batch_of_payments_do_not_deadlock(
    together, shop, placed, drain, settle, assert_valid, monkeypatch
) -> None:
    for i in range(3):
        placed({"MUG": 1}, buyer=f"B-{i}")
    drain("inventory", "ordering")
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    payment = Payment.objects.earliest("id")
    charged = adapter.charge(payment.idempotency_key, PaymentMethodId(payment.method), payment.amount)
    written_together: list[int] = []
    write_down = external._write_down
    monkeypatch.setattr(
        external,
        "_write_down",
        lambda consumer, responses: (written_together.append(len(responses)), write_down(consumer, responses)),
    )

    def call_back() -> None:
        with unit_of_work() as work:
            work.get(Payment, payment.id)
            payment_is_locked.set()
            wait_until_another_waits()
            settle_payment(PaymentId(payment.id), charged)

    def batch() -> None:
        payment_is_locked.wait(60)
        deliver_due(DeliveryQueue("billing", True))

    payment_is_locked = Event()
    together(call_back, batch)

    assert written_together == [3], "in a deadlock the batch would be aborted, and each payment written alone"
    assert {payment.status for payment in Payment.objects.all()} == {"succeeded"}
    settle()
    assert_valid()


def wait_until_another_waits() -> None:
    """Wait until another connection waits for the transaction of this one, at most for a minute."""
    timeout = time.monotonic() + 60
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid"
    with connection.cursor() as cursor:
        while time.monotonic() < timeout:
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)


def test_a_batch_of_payments_that_two_workers_claimed_is_recorded_once(
    together, shop, placed, drain, settle, assert_valid
) -> None:
    orders = [placed({"MUG": 1}, buyer=f"B-{i}") for i in range(10)]
    drain("inventory", "ordering")
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    delivery_queue = DeliveryQueue("billing", True)
    slow = claim(delivery_queue, 5)
    with clock.moved(LEASE):
        together(partial(_attempt, "billing.collect-payment", slow, []), *[lambda: deliver_due(delivery_queue)] * 3)
        settle()
    assert {status_of(order) for order in orders} == {"confirmed"}
    assert Delivery.objects.exclude(status="done").count() == 0
    assert_valid()


def test_one_of_fifty_refunds_of_sixty_percent_at_once_succeeds(together, shop, placed, settle, assert_valid) -> None:
    order = placed()
    settle()
    invoice = Invoice.objects.get(order=order)
    most_of_it = invoice.total.percent(60)
    results = together(*[partial(refund_in_part, InvoiceNumber(invoice.number), most_of_it, "scratched")] * 50)
    assert [type(refusal) for refusal in refusals(results)] == [MoreThanIsLeft] * 49
    settle()
    assert [refund.amount for refund in Refund.objects.all()] == [most_of_it]
    assert Invoice.objects.get().refunded == Order.objects.get().refunded == most_of_it
    assert_valid()


def test_ten_workers_handle_each_delivery_once(together, shop, placed, drain, settle, assert_valid) -> None:
    orders = [placed(buyer=f"B-{i}") for i in range(15)]
    delivery_queues = [
        DeliveryQueue(context, external)
        for context in ("inventory", "billing", "ordering", "fulfillment")
        for external in (False, True)
    ]
    for _ in range(4):
        together(*[lambda: [deliver_due(delivery_queue) for delivery_queue in delivery_queues] for _ in range(10)])
    settle()
    assert {status_of(order) for order in orders} == {"confirmed"}
    assert_valid()


QUEUE = DeliveryQueue("inventory", False)


def _hold(claims: list[Claim]) -> None:
    pause(claims[0].consumer, "it is being mended", "user:1")
    hold(claims[0].consumer, claims)


@pytest.mark.parametrize(
    "change",
    [
        lambda claims: replay(Delivery.objects.all()),
        lambda claims: release(QUEUE, claims),
        _hold,
    ],
    ids=["replay", "release", "hold"],
)
def test_several_deliveries_are_locked_in_the_order_of_their_keys(
    placed: Callable[..., OrderNumber], change: Callable[[list[Claim]], object]
) -> None:
    """Transactions that lock them in different orders deadlock, with erasing and with each other."""
    for _ in range(2):
        placed({"MUG": 1})
    claims = claim(QUEUE, 10)
    first, second = (each.id for each in claims)
    Delivery.objects.exclude(pk__in=[first, second]).delete()
    Delivery.objects.filter(pk=first).update(error="its row lies behind the other one now")
    Delivery.objects.filter(pk__in=[first, second]).update(error="both have failed")
    with transaction.atomic():
        list(Delivery.objects.filter(pk=first).select_for_update())
        changing = InThread(change, claims)
        changing.waits_for_a_lock()
        assert list(Delivery.objects.filter(pk=second).select_for_update(nowait=True))
    assert not isinstance(changing.end(), Exception)


def guests_order(drain: Callable[..., int], address: Any) -> tuple[OrderNumber, Any]:
    """The confirmed order of a guest, and the guest."""
    cart = CartId(open_cart(None)[0].id)
    set_item(cart, None, Sku("MUG"), 1)
    pay = PaymentMethodId("pm_card_visa")
    order = check_out(cart, None, pay, email="guest@example.com", shipping_address=address)
    drain()
    return OrderNumber(order.number), guest_of_cart(cart)


@pytest.mark.parametrize("how", ["claim first", "cancel first", "at once"])
def test_a_claim_and_the_guests_cancellation_lead_to_one_state(
    together, shop, drain, settle, assert_valid, address, how
) -> None:
    number, guest = guests_order(drain, address)
    buyer = buyer_of_user(get_user_model().objects.create_user("ada").pk)
    claim_it = partial(claim_order, number, guest, buyer)
    cancel_it = partial(cancel_order, number, CancellationReason.BY_BUYER, of=guest)
    both = {"claim first": (claim_it, cancel_it), "cancel first": (cancel_it, claim_it), "at once": None}[how]
    results = together(claim_it, cancel_it) if both is None else [together(step)[0] for step in both]
    settle()

    refused = refusals(results)
    assert Order.objects.get(pk=number).buyer_id == Invoice.objects.get(order=number).payer == buyer
    assert all(isinstance(refusal, NotFound) for refusal in refused)
    assert (status_of(number), len(refused)) in [("confirmed", 1), ("cancelled", 0)]
    assert how == "at once" or (status_of(number) == "cancelled") == (how == "cancel first")
    assert_valid()


def test_a_cart_that_is_checked_out_many_times_at_once_becomes_one_order(
    together, shop, drain, settle, assert_valid, address
) -> None:
    cart, buyer = CartId(open_cart(BuyerId("B-1"))[0].id), BuyerId("B-1")
    set_item(cart, buyer, Sku("MUG"), 1)
    pay = PaymentMethodId("pm_card_visa")
    results = together(*[lambda: check_out(cart, buyer, pay, shipping_address=address)] * 10)
    assert len(refusals(results)) == 9
    assert Order.objects.count() == 1
    settle()
    assert_valid()


def test_a_cart_that_two_buyers_claim_at_once_is_one_buyers(together, shop, assert_valid) -> None:
    cart = CartId(open_cart(None)[0].id)
    set_item(cart, None, Sku("MUG"), 1)
    results = together(*[partial(claim_cart, cart, BuyerId(f"B-{n}")) for n in range(6)])
    assert len(refusals(results)) == 5
    assert Cart.objects.get(pk=cart).buyer in {f"B-{n}" for n in range(6)}
    assert_valid()


# --- Cancelled lines and holds ---

ORDERS_OF_EVENTS = ["request first", "dispatch first", "at once"]
FULFILLMENT = DeliveryQueue("fulfillment", False)


def in_sequence(together: Any, how: str, dispatch: Callable[[], Any]) -> list[Any]:
    """Let fulfillment handle what is requested, and dispatch, in this sequence; returns the refusals of dispatches."""

    def try_to_dispatch() -> Any:
        try:
            return dispatch()
        except DomainError as refusal:
            return refusal

    if how == "at once":
        return refusals(together(dispatch, lambda: deliver_due(FULFILLMENT)))
    if how == "dispatch first":
        refused = refusals([try_to_dispatch()])
        deliver_due(FULFILLMENT)
        return refused
    deliver_due(FULFILLMENT)
    return refusals([try_to_dispatch()])


@pytest.mark.parametrize("how", ORDERS_OF_EVENTS)
def test_cancelled_units_that_race_a_dispatch_are_shipped_or_refunded(
    together, shop, placed, drain, settle, assert_valid, how
) -> None:
    for i in range(5):
        order = placed({"MUG": 2, "LAMP": 1}, buyer=f"B-{i}")
        drain()
        cancel_lines(order, [(Sku("MUG"), 1), (Sku("LAMP"), 1)], CancellationReason.BY_BUYER)
        some = [(Sku("MUG"), 1), (Sku("LAMP"), 1)]
        send = partial(fulfillment.dispatch_shipment, ShipmentId(f"S{order[1:]}-1"), "DHL", "1", some)
        refused = in_sequence(together, how, send)
        settle()
        lines = {line.sku: (line.shipped, line.cancelled) for line in Order.objects.get(pk=order).line_rows.all()}
        stopped, left_first = {"MUG": (0, 1), "LAMP": (0, 1)}, {"MUG": (1, 1), "LAMP": (1, 0)}
        assert lines == (stopped if refused else left_first)
        assert how == "at once" or bool(refused) == (how == "request first")
        assert status_of(order) == ("confirmed" if refused else "shipped")
    assert_valid()


@pytest.mark.parametrize("how", ORDERS_OF_EVENTS)
def test_a_hold_that_races_the_dispatch_is_active_or_too_late(
    together, shop, placed, drain, settle, assert_valid, how
) -> None:
    for i in range(5):
        order = placed(buyer=f"B-{i}")
        drain()
        hold_order(order, HoldReason.FRAUD_RISK)
        send = partial(fulfillment.dispatch_shipment, ShipmentId(f"S{order[1:]}-1"), "DHL", "1")
        refused = in_sequence(together, how, send)
        settle()
        [held] = Order.objects.get(pk=order).holds
        assert (held["status"], status_of(order)) == (("active", "confirmed") if refused else ("too_late", "shipped"))
        assert how == "at once" or bool(refused) == (how == "request first")
    assert_valid()
