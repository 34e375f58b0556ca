"""Orders are placed by a command, and move on by what other contexts publish."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from integration.contracts import billing as from_billing
from integration.contracts import fulfillment as from_fulfillment
from integration.contracts import inventory as from_inventory
from integration.contracts import ordering as to_others
from integration.contracts.billing import TEST_METHODS
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import UnacceptableInput
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from integration.domain.money import Money
from integration.messaging.models import Delivery, Message
from ordering import commands, queries
from ordering.commands import NotOnSale, UnknownPaymentMethod, UnknownSku
from ordering.models import Buyer, CancellationReason, Order, QuantityOutOfBounds, TooManyLines
from tests.ordering.commands.shared import (
    LAMP,
    MUG,
    PAYMENT,
    REFUND,
    SHIPMENT,
    VISA,
    PublishAll,
    Published,
    dispatched,
    status_of,
)

pytestmark = pytest.mark.django_db


# --- Placing ---


def test_an_order_is_placed_and_the_others_hear_all_they_need(
    place: Callable[..., Order], published: Published
) -> None:
    order = place()

    assert published(to_others.OrderPlaced) == [
        to_others.OrderPlaced(
            order=OrderNumber(order.number),
            buyer=BuyerId("B-1"),
            payment_method=VISA,
            lines=(
                to_others.OrderedLine(MUG, "Mug", 2, Money("12.50", "USD")),
                to_others.OrderedLine(LAMP, "Lamp", 1, Money("80", "USD")),
            ),
            discount=Money.zero("USD"),
            total=Money("105", "USD"),
        )
    ]


def test_no_address_and_no_mail_leave_ordering_with_a_placed_order(
    place: Callable[..., Order], address: Address
) -> None:
    buyer = commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")
    place(buyer=buyer.id)

    told = str(Message.objects.values_list("data", flat=True))
    for private in (address.recipient, address.street, address.postal_code, "ada@example.org"):
        assert private not in told


def test_an_order_has_a_deadline_for_its_money(place: Callable[..., Order], settings: Settings) -> None:
    settings.PAYMENT_DEADLINE = timedelta(minutes=7)

    before = clock.now()
    due_at = place().payment_due_at

    assert before <= due_at - timedelta(minutes=7) <= clock.now()


def test_the_same_sku_named_twice_is_one_line(place: Callable[..., Order]) -> None:
    order = place((MUG, 1), (LAMP, 1), (MUG, 2))

    assert [(line.sku, line.quantity) for line in queries.order(OrderNumber(order.number)).lines] == [
        ("MUG", 3),
        ("LAMP", 1),
    ]


def test_all_that_is_wrong_is_told_at_once_and_where(place: Callable[..., Order]) -> None:
    commands.change_product(LAMP, {"on_sale": False})

    with pytest.raises(UnacceptableInput) as refusal:
        place((MUG, 1), (Sku("NO-SUCH"), 1), (LAMP, 1), method="pm_card_chargeback")

    assert [(type(error), error.pointer) for error in refusal.value.errors] == [
        (UnknownSku, "/lines/1/sku"),
        (NotOnSale, "/lines/2/sku"),
        (UnknownPaymentMethod, "/payment_method"),
    ]
    assert not Order.objects.exists()
    assert not Message.objects.filter(name="ordering.order-placed").exists()


@pytest.mark.parametrize("quantity", [0, -1, 100_001, 10**9])
def test_a_quantity_out_of_bounds_is_refused_and_nothing_changed(place: Callable[..., Order], quantity: int) -> None:
    with pytest.raises(QuantityOutOfBounds):
        place((MUG, quantity))

    assert not Order.objects.exists()
    assert not Buyer.objects.exists()


def test_the_same_sku_twice_may_add_up_to_too_many(place: Callable[..., Order]) -> None:
    with pytest.raises(QuantityOutOfBounds):
        place((MUG, 60_000), (MUG, 60_000))


def test_an_order_of_nothing_is_refused(goods: None, address: Address) -> None:
    with pytest.raises(TooManyLines):
        commands.place_order(BuyerId("B-1"), [], address, VISA)


@pytest.mark.parametrize("method", sorted(TEST_METHODS))
def test_every_test_method_may_be_named(place: Callable[..., Order], method: str) -> None:
    assert place(method=method).payment_method == method


# --- What the others tell ---


def test_reserved_goods_make_an_order_wait_for_its_money(order: OrderNumber, hear: PublishAll) -> None:
    hear(from_inventory.StockReserved(order))

    assert status_of(order) == "payment_pending"


def test_missing_goods_cancel_an_order(order: OrderNumber, hear: PublishAll, published: Published) -> None:
    hear(from_inventory.StockReservationFailed(order, (from_inventory.Shortage(MUG, 2, 1),)))

    assert queries.order(order).cancellation_reason == CancellationReason.OUT_OF_STOCK
    assert published(to_others.OrderCancelled) == [to_others.OrderCancelled(order, "out_of_stock")]


def test_a_declined_card_cancels_an_order(order: OrderNumber, hear: PublishAll, published: Published) -> None:
    hear(from_inventory.StockReserved(order), from_billing.PaymentFailed(order, PAYMENT, "insufficient_funds"))

    cancelled = queries.order(order)
    assert (cancelled.cancellation_reason, cancelled.note) == ("payment_failed", "insufficient_funds")
    assert published(to_others.OrderCancelled) == [to_others.OrderCancelled(order, "payment_failed")]


def test_money_confirms_an_order_and_it_is_to_be_sent(
    confirmed: OrderNumber, published: Published, address: Address
) -> None:
    assert status_of(confirmed) == "confirmed"
    assert queries.order(confirmed).paid == Money("105", "USD")
    assert published(to_others.OrderConfirmed) == [to_others.OrderConfirmed(confirmed)]
    assert published(to_others.ShippingRequested) == [
        to_others.ShippingRequested(
            order=confirmed,
            recipient=address,
            lines=(to_others.LineToShip(MUG, "Mug", 2), to_others.LineToShip(LAMP, "Lamp", 1)),
        )
    ]


def test_money_that_comes_before_the_goods_waits_for_them(
    order: OrderNumber, hear: PublishAll, drain: Callable[..., int], later: Callable[[timedelta], None]
) -> None:
    hear(from_billing.PaymentSucceeded(order, PAYMENT, Money("105", "USD")))
    assert status_of(order) == "pending"

    hear(from_inventory.StockReserved(order))
    later(timedelta(seconds=1))
    drain("ordering")

    assert status_of(order) == "confirmed"


def test_the_wrong_amount_confirms_nothing(order: OrderNumber, hear: PublishAll) -> None:
    hear(from_inventory.StockReserved(order), from_billing.PaymentSucceeded(order, PAYMENT, Money("104", "USD")))

    assert status_of(order) == "payment_pending"
    failed = Delivery.objects.get(consumer="ordering.confirm-paid-order")
    assert (failed.status, failed.attempts) == ("pending", 1)
    assert failed.error.startswith("AmountMismatch")


def test_money_for_a_cancelled_order_is_noted_and_the_order_stays_cancelled(
    order: OrderNumber, hear: PublishAll, published: Published
) -> None:
    commands.cancel_order(order, CancellationReason.BY_BUYER)
    hear(from_billing.PaymentSucceeded(order, PAYMENT, Money("105", "USD")))
    hear(from_billing.RefundIssued(order, REFUND, Money("105", "USD"), Money("105", "USD")))

    told_again = queries.order(order)
    assert (told_again.status, told_again.payment_status) == ("cancelled", "refunded")
    assert published(to_others.OrderConfirmed) == []


def test_goods_on_their_way_and_goods_that_arrived_are_noted(shipped: OrderNumber, hear: PublishAll) -> None:
    assert status_of(shipped) == "shipped"
    assert [line.shipped for line in queries.order(shipped).lines] == [2, 1]

    hear(from_fulfillment.ShipmentDelivered(shipped, SHIPMENT))

    assert status_of(shipped) == "delivered"


def test_goods_that_arrive_before_they_leave_are_waited_for(
    confirmed: OrderNumber, hear: PublishAll, drain: Callable[..., int], later: Callable[[timedelta], None]
) -> None:
    hear(from_fulfillment.ShipmentDelivered(confirmed, SHIPMENT))
    assert status_of(confirmed) == "confirmed"

    hear(dispatched(confirmed))
    later(timedelta(seconds=1))
    drain("ordering")

    assert status_of(confirmed) == "delivered"


def test_what_is_told_about_an_unknown_order_is_a_failure_of_that_message_alone(
    order: OrderNumber, hear: PublishAll
) -> None:
    hear(from_inventory.StockReserved(OrderNumber("R-0")), from_inventory.StockReserved(order))

    assert status_of(order) == "payment_pending"
    assert Delivery.objects.get(message__data__order="R-0", context="ordering").error.startswith("NotFound")
