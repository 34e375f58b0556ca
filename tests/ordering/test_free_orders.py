"""An order that costs nothing goes all the way without a payment, and is cancelled without a refund."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from rest_framework.test import APIClient

from billing.commands import refund_in_part
from billing.gateways.sandbox.models import Transaction
from billing.models import Invoice, MoreThanIsLeft, Payment, Refund, invoice_of
from config.verification import verify
from fulfillment import commands as fulfillment
from integration import contracts
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.history.story import story
from integration.messaging.models import Delivery, Message, Status
from integration.read_models.catch_up import catch_up_all
from inventory.commands import stock_up
from inventory.models import Reservation
from ordering import commands
from ordering.models import Buyer, CancellationReason, LifetimeSpend, Order, OrderBoard
from ordering.policies.saga import cancel_overdue_orders
from ordering.queries import orders_to_anonymize

pytestmark = pytest.mark.django_db

VISA, DECLINED = PaymentMethodId("pm_card_visa"), PaymentMethodId("pm_card_chargeDeclined")


@pytest.fixture
def place(shop: object, address: Address, drain: Callable[..., int]) -> Callable[..., OrderNumber]:
    """A function that places an order of a product that costs nothing."""
    commands.list_products([(Sku("LEAFLET"), "Leaflet", "", Money("0", "USD"))])
    stock_up([(Sku("LEAFLET"), 10)])
    drain()

    def order(method: PaymentMethodId | None = None, buyer: str = "B-1", quantity: int = 1) -> OrderNumber:
        lines = [(Sku("LEAFLET"), quantity)]
        return OrderNumber(commands.place_order(BuyerId(buyer), lines, address, method).number)

    return order


@pytest.fixture(autouse=True)
def nothing_is_wrong(db: None) -> Any:
    yield
    catch_up_all()
    assert {name: found.complaints for name, found in verify().items() if found.complaints} == {}
    assert [model for model in (Payment, Refund, Transaction) if model._default_manager.exists()] == []
    assert not Delivery.objects.exclude(status=Status.DONE).exists()


def states(order: OrderNumber) -> tuple[str, str, str]:
    """The statuses of the order, its payment and its invoice; the board shows the same as the order."""
    catch_up_all()
    found, shown = Order.objects.get(pk=order), OrderBoard.objects.get(number=order)
    assert (found.status, found.payment_status) == (shown.status, shown.payment_status)
    return found.status, found.payment_status, Invoice.objects.get(order=order).status


@pytest.mark.parametrize("method", [None, VISA, DECLINED])
def test_it_is_confirmed_shipped_and_delivered_without_a_payment(
    place: Callable[..., OrderNumber], drain: Callable[..., int], method: PaymentMethodId | None
) -> None:
    order = place(method)
    drain()
    assert states(order) == ("confirmed", "paid", "paid")
    shipment = ShipmentId(f"S{order[1:]}-1")
    fulfillment.dispatch_shipment(shipment, "DHL", "1")
    drain()
    fulfillment.deliver_shipment(shipment)
    drain()
    assert states(order) == ("delivered", "paid", "paid")
    assert Message.objects.filter(name="billing.payment-not-required").count() == 1
    assert [(row.orders, row.spend.minor) for row in LifetimeSpend.objects.all()] == [(1, 0)]
    assert Buyer.objects.get().spend == Money("0", "USD")


def test_its_units_are_cancelled_shipped_in_part_and_lost(
    place: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    order = place(quantity=4)
    drain()
    commands.cancel_lines(order, [(Sku("LEAFLET"), 1)], CancellationReason.BY_BUYER)
    drain()
    assert states(order) == ("confirmed", "paid", "paid")
    fulfillment.dispatch_shipment(ShipmentId(f"S{order[1:]}-1"), "DHL", "1", [(Sku("LEAFLET"), 1)])
    drain()
    assert states(order) == ("partly_shipped", "paid", "paid")
    commands.cancel_lines(order, [(Sku("LEAFLET"), 2)], CancellationReason.BY_BUYER)
    drain()
    assert states(order) == ("shipped", "paid", "paid")
    fulfillment.lose_shipment(ShipmentId(f"S{order[1:]}-1"))
    fulfillment.resolve_shipment(ShipmentId(f"S{order[1:]}-1"), "refund")
    drain()
    assert states(order) == ("returned", "paid", "paid")
    catch_up_all()
    assert {name: found.complaints for name, found in verify().items() if found.complaints} == {}


def test_its_story_says_that_it_cost_nothing(place: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    order = place()
    drain()
    said = [entry.summary for entry in story(Order.objects.get(pk=order).correlation_id)]
    assert f"Order {order} cost nothing and was confirmed" in said
    assert f"Nothing was to be paid for invoice {invoice_of(order)}" in said


def test_a_discount_of_everything_makes_an_order_free(
    place: Callable[..., OrderNumber], drain: Callable[..., int], address: Address
) -> None:
    commands.register_buyer_if_new(BuyerId("B-1"))
    commands.grant_discount(BuyerId("B-1"), 100, "they own the shop")
    order = commands.place_order(BuyerId("B-1"), [(Sku("MUG"), 2)], address, None)
    assert (order.subtotal, order.total) == (Money("25.00", "USD"), Money("0", "USD"))
    drain()
    assert states(OrderNumber(order.number)) == ("confirmed", "paid", "paid")


def test_a_cancellation_refunds_nothing(place: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    order = place()
    drain()
    commands.cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    assert states(order) == ("cancelled", "cancelled", "paid")
    assert Reservation.objects.get(pk=order).status == "released"


def test_it_is_cancelled_before_its_goods_are_reserved(
    place: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    order = place()
    commands.cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    assert states(order) == ("cancelled", "cancelled", "void")
    assert not Message.objects.filter(name="billing.payment-not-required").exists()


def test_a_cancellation_wins_against_the_word_that_nothing_is_due(
    place: Callable[..., OrderNumber], drain: Callable[..., int], publish_all: Callable[..., None]
) -> None:
    order = place()
    drain("inventory")
    drain("billing")
    commands.cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    publish_all(contracts.billing.PaymentNotRequired(order=order))
    drain()
    assert states(order) == ("cancelled", "cancelled", "paid")
    assert Order.objects.get(pk=order).paid == Money("0", "USD")


def test_it_expires_unless_somebody_responds(place: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    order = place()
    with clock.moved(timedelta(hours=1)):
        cancel_overdue_orders()
        drain()
    found = Order.objects.get(pk=order)
    assert (found.status, found.cancellation_reason) == ("cancelled", "not_processed")


def test_one_that_is_out_of_stock_is_cancelled(place: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    order = place(quantity=11)
    drain()
    assert states(order)[:2] == ("cancelled", "cancelled")


def test_no_money_can_be_refunded(place: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    order = place()
    drain()
    for amount in ("0", "0.01"):
        with pytest.raises(MoreThanIsLeft):
            refund_in_part(invoice_of(order), Money(amount, "USD"), "goodwill")


def test_the_letter_speaks_of_no_payment(place: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    order = place()
    commands.change_profile(BuyerId("B-1"), {"email": "ada@example.org"})
    drain()
    (letter,) = [each for each in mail.outbox if "is confirmed" in each.subject]
    assert order in letter.subject
    assert "Nothing is left to pay" in letter.body
    assert "received your payment" not in letter.body


@pytest.mark.parametrize("method", [None, VISA])
def test_its_personal_data_is_erased(
    place: Callable[..., OrderNumber], drain: Callable[..., int], method: PaymentMethodId | None
) -> None:
    order = place(method)
    commands.cancel_order(order, CancellationReason.BY_BUYER, "I am Ada")
    drain()
    assert not Order.objects.get(pk=order).is_anonymous
    assert commands.erase_buyer(BuyerId("B-1")).orders == 1
    drain()
    found = Order.objects.get(pk=order)
    assert found.is_anonymous
    assert (found.shipping_address["recipient"], found.note) == ("(erased)", "")
    assert orders_to_anonymize(BuyerId("B-1"), 9) == []
    assert commands.erase_buyer(BuyerId("B-1")).orders == 0


class TestOverTheApi:
    @pytest.fixture
    def client(self, place: object, django_user_model: Any) -> APIClient:
        client = APIClient()
        client.default_format = "json"
        client.force_authenticate(django_user_model.objects.create_user("zeb"))
        return client

    def body(self, address: Address, sku: str = "LEAFLET", **more: Any) -> dict[str, Any]:
        parts = {name: part for name in address.__struct_fields__ if (part := getattr(address, name))}
        return {"lines": [{"sku": sku, "quantity": 1}], "shipping_address": parts, **more}

    def test_the_payment_method_is_optional(
        self, client: APIClient, address: Address, drain: Callable[..., int]
    ) -> None:
        response = client.post("/api/v1/orders", self.body(address))
        assert response.status_code == 201
        nothing = {"amount": "0.00", "currency": "USD"}
        assert response.data["payment"] == {
            "status": "pending",
            "method": "",
            "authorized": nothing,
            "paid": nothing,
            "refunded": nothing,
            "next_action": None,
            "retry_until": None,
        }
        drain()
        shown = client.get(f"/api/v1/orders/{response.data['number']}").data
        assert (shown["status"], shown["payment"]["status"]) == ("confirmed", "paid")
        listed = client.get("/api/v1/orders", {"payment_status": "paid"}).data["results"]
        assert [order["number"] for order in listed] == [response.data["number"]]

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"payment_method": ""}, "blank"),
            ({"payment_method": None}, "null"),
            ({"payment_method": "pm_none"}, "unknown_payment_method"),
        ],
    )
    def test_one_that_is_given_must_exist(
        self, client: APIClient, address: Address, more: dict[str, Any], code: str
    ) -> None:
        response = client.post("/api/v1/orders", self.body(address, **more))
        assert response.status_code == 422
        assert [(each["pointer"], each["code"]) for each in response.data["errors"]] == [("#/payment_method", code)]
        assert not Order.objects.exists()

    def test_it_is_needed_as_soon_as_something_costs_something(self, client: APIClient, address: Address) -> None:
        body = self.body(address)
        body["lines"].append({"sku": "MUG", "quantity": 1})
        response = client.post("/api/v1/orders", body)
        assert response.status_code == 422
        errors = [(each["pointer"], each["code"]) for each in response.data["errors"]]
        assert errors == [("#/payment_method", "payment_method_missing")]
        assert not Order.objects.exists()
