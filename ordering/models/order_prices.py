"""What an order costs: the columns that an order and its row on the order board have in common.

Most orders have no tax, no shipping, and at most the discount of loyal buyers. Their details are not stored: they are
what `plain_totals` says. So rows of older code and new rows of such orders are the same.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from django.db import models
from django.db.models import F, Q
from msgspec import Struct

from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.domain.plain_prices import LOYAL_BUYERS, plain_discounts, plain_totals, shares_of
from integration.storage.columns import MinorUnitsField, money
from ordering import events
from ordering.models.rates import THOUSANDTHS
from ordering.pricing import PricedLine, PricedOrder


class ShownLine(Struct, frozen=True, kw_only=True):
    """A line of an order with all its amounts; see `events.PlacedLine`."""

    sku: str
    name: str
    quantity: int
    shipped: int
    cancelled: int = 0
    returned: int = 0
    lost: int = 0
    unit_price: Money
    discount: Money
    tax: Money
    tax_rate: Decimal
    total: Money

    @property
    def subtotal(self) -> Money:
        """The price of the line before any discount."""
        return self.unit_price * self.quantity

    @property
    def open(self) -> int:
        """The units that are neither shipped nor cancelled."""
        return self.quantity - self.cancelled - self.shipped


class PriceDetails(Struct, frozen=True, omit_defaults=True):
    """What the columns of an order do not say about its price."""

    discounts: list[events.PlacedDiscount] = []
    shipping: events.PlacedShipping | None = None
    taxes: list[events.PlacedTax] = []
    vouchers: list[str] = []


class OrderPrices(models.Model):
    """The amounts of an order.

    * `subtotal`: the price of all goods, before discounts.
    * `discount`: all discounts, that of shipping included.
    * `shipping_price`: the price of shipping, before its discount. `shipping_total` is what the buyer pays for it.
    * `tax`: on top of the prices, or inside if `prices_include_tax`.
    * `price_details`: empty if the order is plain.
    """

    currency: Any
    subtotal_minor = MinorUnitsField()
    discount_minor = MinorUnitsField()
    shipping_minor = MinorUnitsField(default=0, db_default=0)
    shipping_total_minor = MinorUnitsField(default=0, db_default=0)
    tax_minor = MinorUnitsField(default=0, db_default=0)
    prices_include_tax = models.BooleanField(default=False, db_default=False)
    total_minor = MinorUnitsField()
    price_details = models.JSONField(null=True, editable=False)
    subtotal, discount = money("subtotal_minor"), money("discount_minor")
    shipping_price, shipping_total = money("shipping_minor"), money("shipping_total_minor")
    tax, total = money("tax_minor"), money("total_minor")

    class Meta:
        abstract = True

    def set_prices(self, event: events.OrderPlaced) -> None:
        """Set all columns of this class, and the currency, to what the event says."""
        self.currency = event.total.currency
        self.subtotal, self.discount, self.total = event.subtotal, event.discount, event.total
        if event.shipping:
            self.shipping_price, self.shipping_total = event.shipping.price, event.shipping.total
        self.tax, self.prices_include_tax = event.tax, event.prices_include_tax
        details = PriceDetails([*event.discounts], event.shipping, [*event.taxes], [*event.vouchers])
        self.price_details = None if is_plain(event) else msgspec.to_builtins(details)

    @property
    def _details(self) -> PriceDetails:
        if self.price_details is None:
            amount = {"amount": str(self.discount.amount), "currency": self.currency}
            return msgspec.convert({"discounts": plain_discounts(amount)}, PriceDetails)
        return msgspec.convert(self.price_details, PriceDetails)

    @property
    def discounts(self) -> list[events.PlacedDiscount]:
        """The discounts by code and name; they add up to `discount`."""
        return self._details.discounts

    @property
    def shipping(self) -> events.PlacedShipping | None:
        """Shipping as a line of the order; None without."""
        return self._details.shipping

    @property
    def vouchers(self) -> list[str]:
        """The codes of the vouchers that the order claims."""
        return self._details.vouchers if self.price_details else []

    @property
    def taxes(self) -> list[events.PlacedTax]:
        """The tax by rate; they add up to `tax`."""
        return self._details.taxes


def is_plain(event: events.OrderPlaced) -> bool:
    """Return whether an order has no tax, no shipping, and at most the discount of loyal buyers on all its lines."""
    if event.tax or event.taxes or event.prices_include_tax or event.shipping:
        return False
    parts = [line.discount_minor for line in event.lines]
    if not event.discount:
        return not event.discounts and not any(parts)
    shares = shares_of(event.discount, [line.subtotal for line in event.lines])
    discounts = (events.PlacedDiscount(*LOYAL_BUYERS, event.discount),)
    return event.discounts == discounts and parts == [share.minor for share in shares]


def amounts_of(line: events.PlacedLine) -> dict[str, int]:
    """Return the amounts of a line as columns: minor units, and the rate in thousandths of a percent."""
    return {
        "discount_minor": line.discount_minor,
        "tax_minor": line.tax.minor,
        "tax_rate_thousandths": line.tax_rate_thousandths,
        "total_minor": line.total.minor,
    }


def shown_lines(facts: Sequence[dict[str, Any]], currency: str, discount: Money) -> list[ShownLine]:
    """Return the lines of an order with all their amounts.

    Args:
        facts: by line `sku`, `name`, `quantity`, `shipped`, `unit_price` in minor units, and what `amounts_of` returns.
            The lines of a plain order lack the latter. `cancelled`, `returned`, `lost` are left out if they are 0.
        currency: the currency of the order.
        discount: the discount of the order, which the lines of a plain order share.
    """
    prices = [Money.of_minor(fact["unit_price"], currency) for fact in facts]
    plain = plain_totals(discount, [price * fact["quantity"] for price, fact in zip(prices, facts, strict=True)])
    return [_shown(fact, price, total) for fact, price, total in zip(facts, prices, plain, strict=True)]


def _shown(fact: dict[str, Any], unit_price: Money, plain_total: Money) -> ShownLine:
    currency = unit_price.currency
    if fact.get("total_minor") is None:
        subtotal, zero = unit_price * fact["quantity"], Money.zero(currency)
        amounts = {"discount": subtotal - plain_total, "tax": zero, "tax_rate": Decimal(0), "total": plain_total}
    else:
        amounts = {name: Money.of_minor(fact[f"{name}_minor"], currency) for name in ("discount", "tax", "total")}
        amounts["tax_rate"] = Decimal(fact["tax_rate_thousandths"]) / THOUSANDTHS
    names = ("sku", "name", "quantity", "shipped", "cancelled", "returned", "lost")  # the last three if not zero
    return ShownLine(**{name: fact[name] for name in names if name in fact}, unit_price=unit_price, **amounts)


def placed_prices(priced: PricedOrder) -> dict[str, Any]:
    """Return the fields of `OrderPlaced` that are about prices."""
    names = ("subtotal", "discount", "prices_include_tax", "total")
    return {name: getattr(priced, name) for name in names} | {
        "lines": tuple(_placed(line, priced.prices_include_tax) for line in priced.lines),
        "discounts": tuple(events.PlacedDiscount(given.code, given.name, given.amount) for given in priced.discounts),
        "shipping": msgspec.convert(priced.shipping, events.PlacedShipping | None, from_attributes=True),
        "taxes": tuple(events.PlacedTax(tax.rate, tax.amount) for tax in priced.taxes),
    }


def _placed(line: PricedLine, prices_include_tax: bool) -> events.PlacedLine:
    return events.PlacedLine(
        Sku(line.sku),
        line.name,
        line.quantity,
        line.unit_price,
        line.discount.minor,
        0 if prices_include_tax else line.tax.minor,
        line.tax.minor if prices_include_tax else 0,
        int(line.tax_rate * THOUSANDTHS),
    )


def adds_up() -> Q:
    """The condition that the amounts of an order add up to its total, where tax is on top and where it is inside."""
    without_tax = F("subtotal_minor") - F("discount_minor") + F("shipping_minor")
    return Q(total_minor__gte=0) & (
        Q(prices_include_tax=True, total_minor=without_tax)
        | Q(prices_include_tax=False, total_minor=without_tax + F("tax_minor"))
    )
