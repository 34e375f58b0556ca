"""What is to be priced, and the shop's own tables and settings by which it is priced."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from integration.domain.money import Money

STANDARD, ZERO = "standard", "zero"
"""The tax class of most products, and the one that is never taxed."""


class Item(Struct, frozen=True):
    """A quantity of one product, at today's price."""

    sku: str
    name: str
    quantity: int
    unit_price: Money
    tax_class: str = STANDARD
    weight_g: int = 0


class BuyerTerms(Struct, frozen=True):
    """What a buyer is entitled to: a discount in percent on every order."""

    discount_percent: int = 0


class Destination(Struct, frozen=True):
    """Where goods go: a country of ISO 3166 and, where a tax table has one, its region."""

    country: str
    region: str = ""


class VoucherKind(StrEnum):
    """What a voucher reduces."""

    PERCENT = "percent"
    AMOUNT = "amount"
    FREE_SHIPPING = "free_shipping"


class Voucher(Struct, frozen=True, kw_only=True):
    """A voucher that the buyer named.

    Args:
        percent: how much it takes off, if it is of that kind.
        amount: how much it takes off, if it is of that kind.
        minimum: the lowest subtotal for which it is valid.
        refusal: why this buyer cannot use it, whatever is ordered; empty if they can.
    """

    code: str
    name: str
    kind: VoucherKind
    percent: Decimal = Decimal(0)
    amount: Money | None = None
    minimum: Money | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    exclusive: bool = False
    refusal: str = ""


class TaxRate(Struct, frozen=True):
    """The rate of a tax class in a country, or in a region of it, from a day on until the next rate begins."""

    country: str
    tax_class: str
    percent: Decimal
    valid_from: date
    region: str = ""


class Measure(StrEnum):
    """What the price of shipping depends on."""

    WEIGHT = "weight"
    SUBTOTAL = "subtotal"


class ShippingRate(Struct, frozen=True, kw_only=True):
    """The price of a shipping option for a group of countries, from some weight or subtotal on.

    Args:
        countries: empty for every country that no other rate of the option names.
        at_least: in grams, or in minor units of the subtotal after discounts.
        at_most: None for any higher weight or subtotal.
        free_from: the subtotal after discounts from which the option costs nothing.
    """

    option: str
    name: str
    price: Money
    countries: frozenset[str] = frozenset()
    measure: Measure = Measure.WEIGHT
    at_least: int = 0
    at_most: int | None = None
    free_from: Money | None = None


class Shop(Struct, frozen=True, kw_only=True):
    """The shop's currency, tables and rules of pricing.

    Args:
        tax_rates: no rates mean no tax.
        shipping_rates: no rates mean that shipping costs nothing and is not chosen.
        round_half_even: how half a minor unit of tax is rounded: to the even neighbour instead of up.
    """

    currency: str
    tax_rates: tuple[TaxRate, ...] = ()
    shipping_rates: tuple[ShippingRate, ...] = ()
    prices_include_tax: bool = False
    round_half_even: bool = False


class Asked(Struct, frozen=True):
    """What is to be priced."""

    items: tuple[Item, ...]
    buyer: BuyerTerms
    destination: Destination | None
    shipping_option: str | None
    vouchers: tuple[Voucher, ...]
    moment: datetime
