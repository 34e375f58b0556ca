"""An order as it is priced: every amount is on a line, and shipping is a line of its own."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from integration.domain.money import Money

NO_TAX = Decimal(0)


class PricedLine(Struct, frozen=True, kw_only=True):
    """A quantity of one product and what it costs.

    Args:
        subtotal: the price of all units, before discounts. It includes tax if prices do.
        discount: the line's part of all discounts.
        tax: the tax on top of the price, or inside if prices include it.
        total: what the buyer pays for the line.
    """

    sku: str
    name: str
    quantity: int
    unit_price: Money
    tax_class: str
    weight_g: int
    subtotal: Money
    discount: Money
    tax_rate: Decimal
    tax: Money
    total: Money

    @property
    def reduced(self) -> Money:
        """The price of the line after its discounts: the base of its tax."""
        return self.subtotal - self.discount

    def less(self, discount: Money) -> Self:
        """Return the line with one more discount; raises ValueError if it is more than the line costs."""
        if not Money.zero(discount.currency) <= discount <= self.reduced:
            raise ValueError(f"a discount of {discount} is not within the {self.reduced} of {self.sku}")
        return replace(self, discount=self.discount + discount, total=self.total - discount)


class PricedShipping(Struct, frozen=True, kw_only=True):
    """Shipping as a line of the order, with the same amounts as any line.

    `surcharge_minor` is what the option costs more than the cheapest one, in minor units.
    """

    option: str
    name: str
    price: Money
    discount: Money
    tax: Money
    total: Money
    surcharge_minor: int = 0

    @property
    def reduced(self) -> Money:
        """The price of shipping after its discount."""
        return self.price - self.discount


class Discount(Struct, frozen=True):
    """A discount that applied."""

    code: str
    name: str
    amount: Money
    exclusive: bool = False
    frees_shipping: bool = False


class NotApplied(Struct, frozen=True):
    """A discount that did not apply, and why, as a clause such as `it is valid until 1 May`."""

    code: str
    name: str
    reason: str


class Offer(Struct, frozen=True):
    """A shipping option that this order may choose, at its price for this order."""

    option: str
    name: str
    price: Money


class ShippingProblem(StrEnum):
    """Why an order cannot be shipped as asked."""

    UNKNOWN_OPTION = "unknown_option"
    NOT_SHIPPED_THERE = "not_shipped_there"


class TaxOfRate(Struct, frozen=True):
    """The tax at one rate, of all lines and of shipping."""

    rate: Decimal
    amount: Money


class PricedOrder(Struct, frozen=True, kw_only=True):
    """What an order costs.

    `total = subtotal - discount + shipping + tax` where prices do not include tax; otherwise the tax is inside.
    """

    currency: str
    prices_include_tax: bool
    lines: tuple[PricedLine, ...]
    discounts: tuple[Discount, ...]
    not_applied: tuple[NotApplied, ...]
    shipping: PricedShipping | None
    offers: tuple[Offer, ...]
    shipping_problem: ShippingProblem | None
    taxes: tuple[TaxOfRate, ...]

    @classmethod
    def empty(cls, currency: str, *, prices_include_tax: bool) -> Self:
        """Return an order of nothing, with which the first step begins."""
        return cls(
            currency=currency,
            prices_include_tax=prices_include_tax,
            lines=(),
            discounts=(),
            not_applied=(),
            shipping=None,
            offers=(),
            shipping_problem=None,
            taxes=(),
        )

    @property
    def subtotal(self) -> Money:
        """The price of all goods before discounts."""
        return self._sum(line.subtotal for line in self.lines)

    @property
    def reduced(self) -> Money:
        """The price of all goods after discounts."""
        return self._sum(line.reduced for line in self.lines)

    @property
    def discount(self) -> Money:
        """All discounts, that of shipping included."""
        return self._sum(discount.amount for discount in self.discounts)

    @property
    def shipping_price(self) -> Money:
        """The price of shipping before its discount; zero without shipping."""
        return self.shipping.price if self.shipping else Money.zero(self.currency)

    @property
    def tax(self) -> Money:
        """The tax at all rates."""
        return self._sum(tax.amount for tax in self.taxes)

    @property
    def total(self) -> Money:
        """What the buyer pays: the totals of all lines and of shipping."""
        goods = self._sum(line.total for line in self.lines)
        return goods + self.shipping.total if self.shipping else goods

    def _sum(self, amounts: Iterable[Money]) -> Money:
        return Money.sum(amounts, self.currency)
