"""Orders are placed by a command, and move on by what other contexts publish."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from pytest_django import Settings

from integration.contracts import billing as billing_contracts
from integration.contracts import fulfillment as fulfillment_contracts
from integration.contracts import inventory as inventory_contracts
from integration.contracts import ordering as ordering_contracts
from integration.contracts.billing import TEST_METHODS
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import UnacceptableInput
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from integration.domain.money import Money
from integration.messaging.models import Delivery, Message
from ordering import commands, queries
from ordering.commands import NotOnSale, UnknownPaymentMethod, UnknownSku
from ordering.models import AmountMismatch, Buyer, CancellationReason, Order, QuantityOutOfBounds, TooManyLines
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
from tests.plain_orders import order_placed

pytestmark = pytest.mark.django_db


# --- Placing ---


def test_an_order_that_costs_something_is_never_confirmed_as_free(place: Callable[..., Order]) -> None:
    number = OrderNumber(place().number)
    commands.await_payment(number)
    with pytest.raises(AmountMismatch):
        commands.confirm_free_order(number)
    assert status_of(number) == "payment_pending"


def test_a_placed_order_is_published_with_its_lines_and_total(
    place: Callable[..., Order], published: Published
) -> None:
    order = place()

    plain = order_placed(
        OrderNumber(order.number),
        [(MUG, "Mug", 2, Money("12.50", "USD")), (LAMP, "Lamp", 1, Money("80.00", "USD"))],
    )
    assert published(ordering_contracts.OrderPlaced) == [msgspec.structs.replace(plain, taxes=())]


def test_a_placed_order_is_published_without_postal_and_email_address(
    place: Callable[..., Order], address: Address
) -> None:
    buyer = commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")
    place(buyer=buyer.id)

    messages = str(Message.objects.values_list("data", flat=True))
    for private in (address.recipient, address.street, address.postal_code, "ada@example.org"):
        assert private not in messages


def test_an_order_has_a_payment_deadline(place: Callable[..., Order], settings: Settings) -> None:
    settings.PAYMENT_DEADLINE = timedelta(minutes=7)

    before = clock.now()
    due_at = place().payment_due_at

    assert before <= due_at - timedelta(minutes=7) <= clock.now()


def test_a_sku_that_is_named_twice_becomes_one_line(place: Callable[..., Order]) -> None:
    order = place((MUG, 1), (LAMP, 1), (MUG, 2))

    assert [(line.sku, line.quantity) for line in queries.order(OrderNumber(order.number)).lines] == [
        ("MUG", 3),
        ("LAMP", 1),
    ]


def test_all_errors_of_an_order_are_reported_together_with_their_pointers(place: Callable[..., Order]) -> None:
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
def test_a_quantity_out_of_bounds_is_refused_and_changes_nothing(place: Callable[..., Order], quantity: int) -> None:
    with pytest.raises(QuantityOutOfBounds):
        place((MUG, quantity))

    assert not Order.objects.exists()
    assert not Buyer.objects.exists()


def test_quantities_of_the_same_sku_may_add_up_to_too_many(place: Callable[..., Order]) -> None:
    with pytest.raises(QuantityOutOfBounds):
        place((MUG, 60_000), (MUG, 60_000))


def test_an_order_without_lines_is_refused(goods: None, address: Address) -> None:
    with pytest.raises(TooManyLines):
        commands.place_order(BuyerId("B-1"), [], address, VISA)


@pytest.mark.parametrize("method", sorted(TEST_METHODS))
def test_every_test_payment_method_is_accepted(place: Callable[..., Order], method: str) -> None:
    assert place(method=method).payment_method == method


# --- Contracts of other contexts ---


def test_an_order_with_reserved_goods_awaits_payment(order: OrderNumber, consume: PublishAll) -> None:
    consume(inventory_contracts.StockReserved(order=order))

    assert status_of(order) == "payment_pending"


def test_an_order_whose_goods_are_out_of_stock_is_cancelled(
    order: OrderNumber, consume: PublishAll, published: Published
) -> None:
    consume(
        inventory_contracts.StockReservationFailed(order=order, shortages=(inventory_contracts.Shortage(MUG, 2, 1),))
    )

    assert queries.order(order).cancellation_reason == CancellationReason.OUT_OF_STOCK
    assert published(ordering_contracts.OrderCancelled) == [
        ordering_contracts.OrderCancelled(order=order, reason="out_of_stock")
    ]


def test_an_order_whose_payment_is_declined_is_cancelled(
    order: OrderNumber, consume: PublishAll, published: Published
) -> None:
    consume(
        inventory_contracts.StockReserved(order=order),
        billing_contracts.PaymentFailed(order=order, payment=PAYMENT, reason="insufficient_funds"),
    )

    cancelled = queries.order(order)
    assert (cancelled.cancellation_reason, cancelled.note) == ("payment_failed", "insufficient_funds")
    assert published(ordering_contracts.OrderCancelled) == [
        ordering_contracts.OrderCancelled(order=order, reason="payment_failed")
    ]


def test_a_paid_order_is_confirmed_and_its_shipping_requested(
    confirmed: OrderNumber, published: Published, address: Address
) -> None:
    assert status_of(confirmed) == "confirmed"
    assert queries.order(confirmed).paid == Money("105", "USD")
    assert published(ordering_contracts.OrderConfirmed) == [ordering_contracts.OrderConfirmed(order=confirmed)]
    assert published(ordering_contracts.ShippingRequested) == [
        ordering_contracts.ShippingRequested(
            order=confirmed,
            recipient=address,
            lines=(ordering_contracts.LineToShip(MUG, "Mug", 2), ordering_contracts.LineToShip(LAMP, "Lamp", 1)),
        )
    ]


def test_a_payment_that_arrives_before_the_reservation_is_retried(
    order: OrderNumber, consume: PublishAll, drain: Callable[..., int], later: Callable[[timedelta], None]
) -> None:
    consume(billing_contracts.PaymentSucceeded(order=order, payment=PAYMENT, amount=Money("105", "USD")))
    assert status_of(order) == "pending"

    consume(inventory_contracts.StockReserved(order=order))
    later(timedelta(seconds=1))
    drain("ordering")

    assert status_of(order) == "confirmed"


def test_a_payment_of_the_wrong_amount_does_not_confirm_the_order(order: OrderNumber, consume: PublishAll) -> None:
    consume(
        inventory_contracts.StockReserved(order=order),
        billing_contracts.PaymentSucceeded(order=order, payment=PAYMENT, amount=Money("104", "USD")),
    )

    assert status_of(order) == "payment_pending"
    failed = Delivery.objects.get(consumer="ordering.confirm-paid-order")
    assert (failed.status, failed.attempts) == ("pending", 1)
    assert failed.error.startswith("AmountMismatch")


def test_a_payment_for_a_cancelled_order_is_recorded_and_the_order_stays_cancelled(
    order: OrderNumber, consume: PublishAll, published: Published
) -> None:
    commands.cancel_order(order, CancellationReason.BY_BUYER)
    consume(billing_contracts.PaymentSucceeded(order=order, payment=PAYMENT, amount=Money("105", "USD")))
    consume(
        billing_contracts.RefundIssued(
            order=order, refund=REFUND, amount=Money("105", "USD"), refunded=Money("105", "USD")
        )
    )

    cancelled = queries.order(order)
    assert (cancelled.status, cancelled.payment_status) == ("cancelled", "refunded")
    assert published(ordering_contracts.OrderConfirmed) == []


def test_dispatch_and_delivery_are_recorded(shipped: OrderNumber, consume: PublishAll) -> None:
    assert status_of(shipped) == "shipped"
    assert [line.shipped for line in queries.order(shipped).lines] == [2, 1]

    consume(fulfillment_contracts.ShipmentDelivered(order=shipped, shipment=SHIPMENT, lines=()))

    assert status_of(shipped) == "delivered"


def test_a_delivery_that_arrives_before_its_dispatch_is_retried(
    confirmed: OrderNumber, consume: PublishAll, drain: Callable[..., int], later: Callable[[timedelta], None]
) -> None:
    consume(fulfillment_contracts.ShipmentDelivered(order=confirmed, shipment=SHIPMENT, lines=()))
    assert status_of(confirmed) == "confirmed"

    consume(dispatched(confirmed))
    later(timedelta(seconds=1))
    drain("ordering")

    assert status_of(confirmed) == "delivered"


def test_a_contract_about_an_unknown_order_fails_without_affecting_others(
    order: OrderNumber, consume: PublishAll
) -> None:
    consume(inventory_contracts.StockReserved(order=OrderNumber("R-0")), inventory_contracts.StockReserved(order=order))

    assert status_of(order) == "payment_pending"
    assert Delivery.objects.get(message__data__order="R-0", context="ordering").error.startswith("NotFound")
