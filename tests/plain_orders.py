"""Orders without tax and shipping, and with at most one discount for the whole order, as all were before version 2."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from integration.contracts.ordering import OrderPlaced
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId
from integration.domain.money import Money
from integration.domain.versions import from_data
from ordering.models import Order
from ordering.models.order_line import subtotal_of
from ordering.pricing import BuyerTerms, Item, Shop, price


def order_placed(
    order: OrderNumber,
    lines: Iterable[tuple[str, str, int, Money]],
    *,
    method: str = "pm_card_visa",
    discount: Money | None = None,
) -> OrderPlaced:
    """The contract of an order of B-1, as version 1 said it; a line is a SKU, a name, a quantity and a unit price."""
    names = ("sku", "name", "quantity", "unit_price")
    said = [dict(zip(names, line, strict=True)) for line in lines]
    subtotal = sum(
        (line["unit_price"] * line["quantity"] for line in said[1:]), said[0]["unit_price"] * said[0]["quantity"]
    )
    discount = discount or Money.zero(subtotal.currency)
    data: dict[str, Any] = {
        "order": order,
        "buyer": "B-1",
        "payment_method": method,
        "lines": said,
        "discount": discount,
        "total": subtotal - discount,
    }
    return from_data(OrderPlaced, msgspec.to_builtins(data), version=1)


def place_plainly(lines: Sequence[Item], discount_percent: int = 0, **more: Any) -> Order:
    """An order of these lines, placed without the command; raises as `subtotal_of` and `Order.place` do."""
    shop = Shop(currency=subtotal_of(lines).currency)
    priced = price(lines, BuyerTerms(discount_percent), None, None, [], datetime(2026, 1, 1, tzinfo=UTC), shop)
    placed = {
        "number": OrderNumber("R-1"),
        "buyer": BuyerId("B-1"),
        "payment_method": PaymentMethodId("pm_card_visa"),
        "payment_due_at": datetime(2026, 1, 1, tzinfo=UTC),
        **more,
    }
    return Order.place(placed.pop("number"), priced=priced, **placed)
