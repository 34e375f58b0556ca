"""Baskets in one line of text, for tables: `2 × 10.00 @23, 56.04 @10` are two units at 23 % tax and one at 10 %."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from integration.domain.money import Money
from ordering.pricing import BuyerTerms, Destination, Item, PricedOrder, ShippingRate, Shop, TaxRate, Voucher, price
from ordering.pricing.asked import VoucherKind

LINE = re.compile(r"(?:(\d+) × )?([\d.]+)(?: @([\d.]+))?(?: (\d+)g)?")
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = Destination("NL")


def items(text: str, currency: str = "EUR") -> list[Item]:
    """The items of a basket. Each tax rate is a tax class of the same name."""
    found = []
    for i, line in enumerate(text.split(", ")):
        match = LINE.fullmatch(line)
        assert match, line
        quantity, unit_price, rate, grams = match.groups()
        sku = chr(ord("A") + i)
        found.append(
            Item(sku, sku, int(quantity or 1), Money(unit_price, currency), f"rate {rate or 0}", int(grams or 0))
        )
    return found


def rates_of(items: Sequence[Item], since: date = date(2000, 1, 1)) -> tuple[TaxRate, ...]:
    """A tax table that has the rate of each item."""
    classes = {item.tax_class for item in items}
    return tuple(TaxRate(HERE.country, name, Decimal(name.removeprefix("rate ")), since) for name in sorted(classes))


def shipping_for(amount: str, currency: str = "EUR") -> tuple[ShippingRate, ...]:
    """One shipping option, which costs as much for every order."""
    return (ShippingRate(option="post", name="Post", price=Money(amount, currency)),)


def vouchers_of(text: str, currency: str = "EUR") -> list[Voucher]:
    """The vouchers of `10.10 + 50 % + free`: an amount, a percentage, and free shipping."""
    found = []
    for i, part in enumerate(text.split(" + ") if text else []):
        code = f"V{i + 1}"
        if part == "free":
            found.append(Voucher(code=code, name=part, kind=VoucherKind.FREE_SHIPPING))
        elif part.endswith(" %"):
            rate = Decimal(part.removesuffix(" %"))
            found.append(Voucher(code=code, name=part, kind=VoucherKind.PERCENT, percent=rate))
        else:
            found.append(Voucher(code=code, name=part, kind=VoucherKind.AMOUNT, amount=Money(part, currency)))
    return found


def priced(basket: str, how: str = "", currency: str = "EUR") -> PricedOrder:
    """The basket, priced in a shop that has the tax rates it names and at most one shipping option.

    Args:
        how: a list such as `off 5.00 + 10 %; shipping 4.00; included; half even`.
    """
    said = dict(part.partition(" ")[::2] for part in how.split("; "))
    wanted = items(basket, currency)
    shop = Shop(
        currency=currency,
        tax_rates=rates_of(wanted),
        shipping_rates=shipping_for(said["shipping"], currency) if "shipping" in said else (),
        prices_include_tax="included" in said,
        round_half_even="half" in said,
    )
    return price(wanted, BuyerTerms(), HERE, None, vouchers_of(said.get("off", ""), currency), MOMENT, shop)
