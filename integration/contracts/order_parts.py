"""What the contracts of ordering say about the parts of an order: lines, shipping, tax and discounts."""

from decimal import Decimal

from msgspec import Struct

from integration.domain.identifiers import Sku
from integration.domain.money import Money


class OrderedLine(Struct, frozen=True):
    """A quantity of one SKU, with the agreed amounts.

    Args:
        discount: the line's part of all discounts.
        tax: on top of the price, or inside if the order's prices include it.
        tax_rate: in percent.
        total: what the buyer pays for the line.
    """

    sku: Sku
    name: str
    quantity: int
    unit_price: Money
    discount: Money
    tax: Money
    tax_rate: Decimal
    total: Money


class OrderedUnits(Struct, frozen=True):
    """A quantity of one SKU of an order."""

    sku: Sku
    quantity: int


class OrderedShipping(Struct, frozen=True):
    """Shipping as a line of an order; `total` is what the buyer pays for it."""

    option: str
    name: str
    price: Money
    discount: Money
    tax: Money
    total: Money


class OrderedTax(Struct, frozen=True):
    """The tax of an order at one rate, in percent."""

    rate: Decimal
    amount: Money


class GivenDiscount(Struct, frozen=True):
    """A discount of an order by its code and the name that buyers read."""

    code: str
    name: str
    amount: Money


class LineToShip(Struct, frozen=True):
    """A quantity of one SKU to pack."""

    sku: Sku
    name: str
    quantity: int
