"""An order stores its prices with all amounts on its lines, and so do the board, the contract and the invoice."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Invoice
from config.verification import verify
from integration.contracts.ordering import OrderPlaced
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.versions import from_data
from integration.read_models.catch_up import catch_up_all
from ordering import events
from ordering.api.orders import OrderOutput
from ordering.commands import grant_discount, register_buyer_if_new
from ordering.models import Order, OrderBoard
from ordering.pricing import ShippingRate, Shop, TaxRate
from tests.plain_orders import order_placed

TAX = (TaxRate("GB", "standard", Decimal("17.5"), date(2020, 1, 1)),)
POST = (ShippingRate(option="post", name="Post", price=Money("4.99", "USD")),)
PLAIN_LINES = [("MUG", "Mug", 2, Money("12.50", "USD")), ("LAMP", "Lamp", 1, Money("80.00", "USD"))]


def usd(amount: str) -> Money:
    return Money(amount, "USD")


@pytest.fixture(params=[False, True], ids=["tax on top", "tax inside"])
def taxed(request: Any, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A shop with tax and shipping; whether its prices include tax."""
    shop = Shop(currency="USD", tax_rates=TAX, shipping_rates=POST, prices_include_tax=request.param)
    monkeypatch.setattr("ordering.commands.placing.shop_for", lambda currency, country: shop)
    return bool(request.param)


def test_all_contexts_have_the_amounts_of_a_taxed_order(
    db: None, taxed: bool, placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    register_buyer_if_new(BuyerId("B-1"))
    grant_discount(BuyerId("B-1"), 10, "for being there")
    number = placed()
    drain()
    catch_up_all()
    order, invoice = Order.objects.get(pk=number), Invoice.objects.get(order=number)
    mug, lamp = order.shown_lines
    shipping = order.shipping

    assert shipping
    assert (mug.discount, lamp.discount, mug.tax_rate) == (usd("2.50"), usd("8.00"), Decimal("17.5"))
    assert mug.total + lamp.total + shipping.total == order.total
    assert mug.tax + lamp.tax + shipping.tax == order.tax == order.taxes[0].amount
    assert order.total == usd("99.49") + (usd("0.00") if taxed else order.tax)
    assert order.tax == usd("14.81" if taxed else "17.41")
    assert invoice.line_totals() == {"MUG": mug.total, "LAMP": lamp.total}
    assert (invoice.shipping, invoice.total, invoice.paid) == (shipping.total, order.total, order.total)
    board = OrderBoard.objects.get(number=number)
    assert OrderOutput(board).data | {"updated_at": ""} == OrderOutput(order).data | {"updated_at": ""}
    assert [finding.offenders for finding in verify().values() if finding.offenders] == []


def test_a_plain_order_is_stored_without_details(
    db: None, placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    register_buyer_if_new(BuyerId("B-1"))
    grant_discount(BuyerId("B-1"), 10, "for being there")
    number = placed()
    drain()
    order = Order.objects.get(pk=number)

    assert (order.price_details, {line.total_minor for line in order.lines}) == (None, {None})
    assert [(line.discount, line.total) for line in order.shown_lines] == [
        (usd("2.50"), usd("22.50")),
        (usd("8.00"), usd("72.00")),
    ]
    assert [(discount.code, discount.amount) for discount in order.discounts] == [("lifetime_spend", usd("10.50"))]
    assert Invoice.objects.get(order=number).line_totals() == {"MUG": usd("22.50"), "LAMP": usd("72.00")}


def test_a_contract_of_version_1_has_its_discount_on_its_lines() -> None:
    placed = order_placed(OrderNumber("R-1"), PLAIN_LINES, discount=usd("10.51"))

    assert [(line.discount, line.total, line.tax) for line in placed.lines] == [
        (usd("2.50"), usd("22.50"), usd("0")),
        (usd("8.01"), usd("71.99"), usd("0")),
    ]
    assert [(discount.code, discount.amount) for discount in placed.discounts] == [("lifetime_spend", usd("10.51"))]
    assert (placed.shipping, placed.tax, placed.total) == (None, usd("0"), usd("94.49"))
    assert OrderPlaced.schema_version == 2


def test_a_placed_order_of_version_1_is_a_plain_order() -> None:
    money = {"amount": "30.00", "currency": "USD"}
    data = {
        "order": "R-1",
        "buyer": "B-1",
        "lines": [{"sku": "MUG", "name": "Mug", "quantity": 3, "unit_price": {"amount": "10.00", "currency": "USD"}}],
        "shipping_address": {
            "recipient": "Ada",
            "street": "1 Row",
            "city": "London",
            "postal_code": "W1",
            "country": "GB",
        },
        "payment_method": "pm_card_visa",
        "subtotal": money,
        "discount": {"amount": "0.00", "currency": "USD"},
        "total": money,
        "payment_due_at": "2026-01-01T00:00:00Z",
    }
    event = from_data(events.OrderPlaced, data, version=1)
    order = Order()
    order.apply(event)

    assert (event.discounts, event.taxes, event.shipping) == ((), (), None)
    assert order.price_details is None
    assert [(line.sku, line.total) for line in order.shown_lines] == [(Sku("MUG"), usd("30.00"))]
