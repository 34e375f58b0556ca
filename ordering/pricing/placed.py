"""The amounts of an order as the event of its placing stores them. Their fields are part of that event."""

from decimal import Decimal

from msgspec import Struct

from integration.domain.identifiers import Sku
from integration.domain.money import Money


class PlacedLine(Struct, frozen=True, omit_defaults=True):
    """A quantity of one product, with all its amounts of the moment the order was placed.

    What is zero is not stored, because it is zero in most orders.

    Args:
        discount_minor: the line's part of all discounts, in minor units.
        tax_minor: the tax on top of the price.
        included_tax_minor: the tax inside the price, where prices include it.
        tax_rate_thousandths: the rate of either, in thousandths of a percent.
    """

    sku: Sku
    name: str
    quantity: int
    unit_price: Money
    discount_minor: int = 0
    tax_minor: int = 0
    included_tax_minor: int = 0
    tax_rate_thousandths: int = 0

    @property
    def subtotal(self) -> Money:
        """The price of the line before any discount."""
        return self.unit_price * self.quantity

    @property
    def discount(self) -> Money:
        """The line's part of all discounts."""
        return Money.of_minor(self.discount_minor, self.unit_price.currency)

    @property
    def tax(self) -> Money:
        """The tax, on top of the price or inside."""
        return Money.of_minor(self.tax_minor + self.included_tax_minor, self.unit_price.currency)

    @property
    def tax_rate(self) -> Decimal:
        """The rate in percent."""
        return Decimal(self.tax_rate_thousandths) / 1_000

    @property
    def total(self) -> Money:
        """What the buyer pays for the line."""
        return Money.of_minor(self.subtotal.minor - self.discount_minor + self.tax_minor, self.unit_price.currency)


class PlacedShipping(Struct, frozen=True, omit_defaults=True):
    """Shipping as a line of an order; `total` is what the buyer pays for it.

    `surcharge_minor` is what the option costs more than the cheapest one, which a withdrawal does not refund.
    """

    option: str
    name: str
    price: Money
    discount: Money
    tax: Money
    total: Money
    surcharge_minor: int = 0


class PlacedDiscount(Struct, frozen=True):
    """A discount of an order by its code and the name that buyers read."""

    code: str
    name: str
    amount: Money


class PlacedTax(Struct, frozen=True):
    """The tax of an order at one rate in percent, that of shipping included."""

    rate: Decimal
    amount: Money
