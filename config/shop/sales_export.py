"""Reads a shop's sales export and accounts for every row: a row is part of a sale, or left out for exactly one reason.
So the used rows plus the left-out rows are always all rows of the file.

A file that is no sales export raises `sales_rows.UnreadableExport`; a bad row never does. Each row is checked in this
order, and the first check that fails is the reason:

1. Can the row be read (CSV, columns, values, numbers, date)? If not, it is set aside with its line.
2. Is it a sale of goods (no adjustment, no fee), or a cancellation of goods that an accepted sale has?
3. Can the sale be repeated (quantity, price, customer, country)?
4. Does it fit its invoice (one customer, not too many units or lines)?
5. Is the invoice within the limit?

An accepted sale fits into the shop's tables, so placing it needs no further checks.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from os import PathLike
from pathlib import Path
from sys import intern
from typing import NamedTuple

from config.shop.country_codes import country_code
from config.shop.reversals import CancelledRow, matched
from config.shop.sales import (
    HIGHEST_PRICE_MINOR,
    LONGEST_CUSTOMER,
    MOST_LINES_PER_INVOICE,
    MOST_UNITS_PER_LINE,
    UNREADABLE,
    Reason,
    Reversal,
    Sale,
    SaleLine,
)
from config.shop.sales_goods import Goods, goods_of
from config.shop.sales_rows import Row, rows_of
from integration.domain.identifiers import SKU_PATTERN
from integration.domain.money import Money, decimal_places

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
PLAIN_PRICE = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")
SKU = re.compile(SKU_PATTERN)

# Entries that shops book like goods: postage, carriage, fees, samples, corrections. They need a list, because no
# pattern separates them from goods: DCGSSGIRL has no digit and is a party bag, C2 has one and is carriage. PADS is a
# book-keeper's supplement of a tenth of a penny. Vouchers and entries of a single letter (M for manual, D for discount,
# S for samples) match a pattern.
NO_GOODS = frozenset({"POST", "DOT", "C2", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS"})
NO_GOODS_SHAPE = re.compile(r"[A-Z]|GIFT_.*")


class SetAside(NamedTuple):
    """A row that cannot be read."""

    line: int
    reason: str


MOST_SET_ASIDE = 1_000
"""How many of those are named by their lines."""


@dataclass(frozen=True, slots=True)
class SalesExport:
    """The contents of an export; raises `ValueError` unless every row is accounted for.

    Args:
        reversals: what of the sales other invoices cancel.
        cancellations: how many invoices cancel goods, whether a sale has them or not.
    """

    sales: tuple[Sale, ...]
    goods: tuple[Goods, ...]
    rows: int
    used: int
    left_out: Counter[Reason]
    set_aside: tuple[SetAside, ...] = ()
    reversals: tuple[Reversal, ...] = ()
    cancellations: int = 0

    def __post_init__(self) -> None:
        if not self.adds_up:
            raise ValueError(f"{self.used} rows used + {self.left_out.total()} left out != {self.rows} rows")

    @property
    def adds_up(self) -> bool:
        return self.used + self.left_out.total() == self.rows


def read_sales(path: str | PathLike[str], limit: int | None = None, *, currency: str = "GBP") -> SalesExport:
    """The goods and sales of a CSV or .csv.gz file.

    Args:
        path: the file.
        limit: how many sales to accept, the first ones; `None` accepts all.
        currency: of the prices, which are rounded half up to its smallest unit.

    Raises:
        UnreadableExport: the file is no sales export.
        NotMoney: there is no such currency.
        ValueError: for a negative limit.
    """
    if limit is not None and limit < 0:
        raise ValueError(f"the limit is {limit}, and must be 0 or more")
    reading = _Reading(Money.zero(currency))
    for row in rows_of(Path(path), decimal_places(currency)):
        reading.add(row)
    return reading.result(limit)


class _Row(NamedTuple):
    """A readable row, whether it is a sale or not; the country is empty if the row names none."""

    invoice: str
    sku: str
    description: str
    quantity: int
    placed_at: datetime
    price: Money
    customer: str
    country: str


_Refusal = tuple[Reason, Callable[[_Row], object]]

REFUSALS_IN_ORDER: tuple[_Refusal, ...] = (
    (Reason.BAD_DEBT, lambda row: row.invoice.startswith("A")),
    (Reason.NO_GOODS, lambda row: row.sku in NO_GOODS or NO_GOODS_SHAPE.fullmatch(row.sku)),
    (Reason.NO_SKU, lambda row: not SKU.fullmatch(row.sku)),
    (Reason.NOTHING_SOLD, lambda row: row.quantity <= 0),
    (Reason.NO_PRICE, lambda row: row.price.minor <= 0),
    (Reason.PRICE_TOO_HIGH, lambda row: row.price.minor > HIGHEST_PRICE_MINOR),
    (Reason.NO_CUSTOMER, lambda row: not row.customer),
    (Reason.CUSTOMER_TOO_LONG, lambda row: len(row.customer) > LONGEST_CUSTOMER),
    (Reason.NO_COUNTRY, lambda row: not row.country),
)


@dataclass(slots=True)
class _Reading:
    """The rows read so far: their number, the left-out ones by reason, and the others by invoice.

    Args:
        nothing: zero in the currency of the prices.
    """

    nothing: Money
    rows: int = 0
    left_out: Counter[Reason] = field(default_factory=Counter)
    set_aside: list[SetAside] = field(default_factory=list)
    invoices: defaultdict[str, list[_Row]] = field(default_factory=lambda: defaultdict(list))
    cancelled: list[CancelledRow] = field(default_factory=list)

    def add(self, read: Row) -> None:
        self.rows += 1
        row = Reason.NOT_CSV if read.problem else _judged(read.cells, self.nothing)
        if isinstance(row, Reason):
            self.left_out[row] += 1
            if row in UNREADABLE and len(self.set_aside) < MOST_SET_ASIDE:
                self.set_aside.append(SetAside(read.line, read.problem or row.value))
        elif row.invoice.startswith("C"):
            self.cancelled.append(CancelledRow(row.invoice, row.customer, row.placed_at, row.sku, -row.quantity))
        else:
            self.invoices[row.invoice].append(row)

    def result(self, limit: int | None) -> SalesExport:
        sold = [rows for rows in map(self._rows_of_one_sale, self.invoices.values()) if rows]
        accepted = sold[:limit]
        self._leave_out(Reason.BEYOND_LIMIT, sum(map(len, sold[len(accepted) :])))
        sales = tuple(_sale(rows) for rows in accepted)
        reversals, unmatched = matched(sales, self.cancelled)
        self._leave_out(Reason.CANCELLATION, unmatched)
        return SalesExport(
            sales=sales,
            goods=goods_of((row.sku, row.description, row.price.amount) for rows in accepted for row in rows),
            rows=self.rows,
            used=sum(map(len, accepted)) + len(self.cancelled) - unmatched,
            left_out=self.left_out,
            set_aside=tuple(self.set_aside),
            reversals=reversals,
            cancellations=len({row.invoice for row in self.cancelled}),
        )

    def _rows_of_one_sale(self, rows: list[_Row]) -> list[_Row]:
        """The rows of an invoice that make up one sale; none if the invoice has too many lines."""
        buyer = (rows[0].customer, rows[0].country)
        one_buyer = [row for row in rows if (row.customer, row.country) == buyer]
        self._leave_out(Reason.OTHER_CUSTOMER, len(rows) - len(one_buyer))
        units = _units(one_buyer)
        bounded = [row for row in one_buyer if units[row.sku] <= MOST_UNITS_PER_LINE]
        self._leave_out(Reason.TOO_MANY_UNITS, len(one_buyer) - len(bounded))
        if len({row.sku for row in bounded}) <= MOST_LINES_PER_INVOICE:
            return bounded
        self._leave_out(Reason.TOO_MANY_LINES, len(bounded))
        return []

    def _leave_out(self, reason: Reason, rows: int) -> None:
        # A reason that never occurred is not listed with a zero.
        if rows:
            self.left_out[reason] += rows


def _judged(cells: tuple[str, ...] | None, nothing: Money) -> _Row | Reason:
    row = _read(cells, nothing)
    return row if isinstance(row, Reason) else _refusal(row) or row


def _cancels_goods(row: _Row) -> bool:
    """Whether a row of a cancelling invoice is about goods of a known customer, not about fees or corrections."""
    is_of_goods = bool(SKU.fullmatch(row.sku)) and row.sku not in NO_GOODS and not NO_GOODS_SHAPE.fullmatch(row.sku)
    return is_of_goods and row.quantity < 0 and bool(row.customer)


def _refusal(row: _Row) -> Reason | None:
    if row.invoice.startswith("C"):
        return None if _cancels_goods(row) else Reason.CANCELLATION
    for reason, applies in REFUSALS_IN_ORDER:
        if applies(row):
            return reason
    return None


def _read(cells: tuple[str, ...] | None, nothing: Money) -> _Row | Reason:
    if cells is None:
        return Reason.WRONG_NUMBER_OF_COLUMNS
    invoice, code, description, quantity, date, price, customer, country = map(str.strip, cells)
    if not (invoice and code and quantity and date and price):
        return Reason.VALUE_MISSING
    if not (WHOLE_NUMBER.fullmatch(quantity) and PLAIN_PRICE.fullmatch(price)):
        return Reason.NO_NUMBER
    placed_at = _moment(date)
    if placed_at is None:
        return Reason.NO_DATE
    texts = (intern(invoice.upper()), _sku(code), intern(description))
    return _Row(*texts, int(quantity), placed_at, _rounded(price, nothing), intern(customer), country_code(country))


# An export repeats a few thousand values half a million times, so parsed values are cached.
@lru_cache(maxsize=65_536)
def _sku(code: str) -> str:
    return code.upper()


@lru_cache(maxsize=65_536)
def _rounded(price: str, nothing: Money) -> Money:
    """The price, rounded half up to as many decimals as the currency of `nothing` has."""
    return Money(Decimal(price).quantize(nothing.amount, ROUND_HALF_UP), nothing.currency)


@lru_cache(maxsize=1_024)
def _moment(date: str) -> datetime | None:
    """The time in UTC, or `None` if it cannot be read. A time without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(date)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _units(rows: Iterable[_Row]) -> Counter[str]:
    units: Counter[str] = Counter()
    for row in rows:
        units[row.sku] += row.quantity
    return units


def _sale(rows: list[_Row]) -> Sale:
    # The rows of an invoice may differ by a minute: the first one counts.
    first = rows[0]
    lines = tuple(SaleLine(sku, quantity) for sku, quantity in _units(rows).items())
    return Sale(first.invoice, first.customer, first.placed_at, first.country, lines)
