"""What the amounts of an order were before each was on its line: one discount for the whole order, without a tax.

Upcasters of events and contracts use it, and so do rows that older code inserts.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import convert

from integration.domain.money import Money

LOYAL_BUYERS = ("lifetime_spend", "Discount for loyal buyers")
"""The code and the name of the only discount there was."""


def shares_of(discount: Money, subtotals: Sequence[Money]) -> list[Money]:
    """Share out the discount of an order over its lines, in proportion to their subtotals."""
    if not discount or not subtotals:
        return [discount] * len(subtotals)
    return discount.allocate([subtotal.minor for subtotal in subtotals])


def plain_totals(discount: Money, subtotals: Sequence[Money]) -> list[Money]:
    """Return what each line costs less its share of the discount of the order."""
    shares = shares_of(discount, subtotals)
    return [subtotal - share for subtotal, share in zip(subtotals, shares, strict=True)]


def plain_lines(lines: Sequence[dict[str, Any]], discount: dict[str, str]) -> list[dict[str, Any]]:
    """Return the lines of an older event, as data, with their part of the discount, no tax, and their total."""
    subtotals = [convert(line["unit_price"], Money) * line["quantity"] for line in lines]
    shares = shares_of(convert(discount, Money), subtotals)
    return [
        {
            **line,
            "discount": _data(share),
            "tax": _data(Money.zero(share.currency)),
            "tax_rate": "0",
            "total": _data(subtotal - share),
        }
        for line, subtotal, share in zip(lines, subtotals, shares, strict=True)
    ]


def plain_discounts(discount: dict[str, str]) -> list[dict[str, Any]]:
    """Return the discounts of an older event, as data: that of loyal buyers, if there was any."""
    code, name = LOYAL_BUYERS
    return [{"code": code, "name": name, "amount": discount}] if convert(discount, Money) else []


def _data(amount: Money) -> dict[str, str]:
    return {"amount": str(amount.amount), "currency": amount.currency}
