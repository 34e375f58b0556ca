"""Finds the sale of each cancelled row of a sales export, which names no sale.

A row matches the customer's latest earlier sale that still has all its units of that product. What a row matches is
taken off the sale, so that no unit is cancelled twice.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from config.shop.sales import Reversal, Sale, SaleLine


class CancelledRow(NamedTuple):
    """A row of an invoice that cancels goods; the units are positive."""

    invoice: str
    customer: str
    at: datetime
    sku: str
    units: int


def matched(sales: Sequence[Sale], rows: Sequence[CancelledRow]) -> tuple[tuple[Reversal, ...], int]:
    """Match cancelled rows with sales.

    Returns:
        The reversals, one for each invoice and sale, and how many rows match no sale.
    """
    sold: defaultdict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    left = [{line.sku: line.quantity for line in sale.lines} for sale in sales]
    for i in sorted(range(len(sales)), key=lambda i: sales[i].placed_at):
        for line in sales[i].lines:
            sold[sales[i].customer, line.sku].append((sales[i].placed_at, i))
    units: dict[tuple[str, int], Counter[str]] = {}
    moments: dict[str, datetime] = {}
    unmatched = 0
    for row in sorted(rows, key=lambda row: row.at):
        earlier = sold.get((row.customer, row.sku), [])
        earlier = earlier[: bisect_right(earlier, (row.at, len(sales)))]
        sale = next((i for _, i in reversed(earlier) if left[i][row.sku] >= row.units), None)
        if sale is None:
            unmatched += 1
            continue
        left[sale][row.sku] -= row.units
        units.setdefault((row.invoice, sale), Counter())[row.sku] += row.units
        moments.setdefault(row.invoice, row.at)
    found = (
        Reversal(invoice, moments[invoice], sales[sale], tuple(SaleLine(sku, n) for sku, n in lines.items()))
        for (invoice, sale), lines in units.items()
    )
    return tuple(found), unmatched
