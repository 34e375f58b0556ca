"""What is in a sales export: sales, cancellations of what was sold, and why other rows are left out."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

LONGEST_CUSTOMER = 38
HIGHEST_PRICE_MINOR = 10**9
"""The highest price in the currency's smallest unit: 10,000,000.00 for GBP."""
MOST_UNITS_PER_LINE = 100_000
MOST_LINES_PER_INVOICE = 2_000


class Reason(Enum):
    """Why a row is left out, in the order of the checks."""

    NOT_CSV = "it is not well-formed CSV, or holds a NUL character"
    WRONG_NUMBER_OF_COLUMNS = "it has more or fewer columns than the heading"
    VALUE_MISSING = "it lacks the invoice number, stock code, quantity, date or price"
    NO_NUMBER = "its quantity or price is not a plain number"
    NO_DATE = "its date is not written as 2011-12-09 12:50:00"
    CANCELLATION = "it cancels goods (the invoice number begins with C), and no accepted invoice before has them"
    BAD_DEBT = "it adjusts a bad debt (the invoice number begins with A)"
    NO_GOODS = "its stock code stands for postage, a fee, a voucher or an adjustment, not for goods"
    NO_SKU = "its stock code is not made of letters, digits, dots, hyphens and underscores, 40 at most"
    NOTHING_SOLD = "its quantity is zero or negative"
    NO_PRICE = "its price is zero, negative or less than half of the currency's smallest unit"
    PRICE_TOO_HIGH = f"its price is higher than {HIGHEST_PRICE_MINOR:,} of the currency's smallest unit"
    NO_CUSTOMER = "it names no customer"
    CUSTOMER_TOO_LONG = f"its customer has a number of more than {LONGEST_CUSTOMER} characters"
    NO_COUNTRY = "its country names no single country"
    OTHER_CUSTOMER = "it names another customer or country than the first row of its invoice"
    TOO_MANY_UNITS = f"its invoice has more than {MOST_UNITS_PER_LINE:,} units of this product"
    TOO_MANY_LINES = f"its invoice has more than {MOST_LINES_PER_INVOICE:,} different products"
    BEYOND_LIMIT = "its invoice is beyond the limit asked for"


@dataclass(frozen=True, slots=True)
class SaleLine:
    """The units of one product in a sale."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Sale:
    """One invoice of a customer; each sku is in one line only."""

    invoice: str
    customer: str
    placed_at: datetime
    country: str
    lines: tuple[SaleLine, ...]


@dataclass(frozen=True, slots=True)
class Reversal:
    """Goods of a sale that an invoice cancels; each sku is in one line only."""

    invoice: str
    at: datetime
    sale: Sale
    lines: tuple[SaleLine, ...]

    @property
    def is_same_day(self) -> bool:
        """Whether the goods were cancelled on the day of the sale, so that they had not left."""
        return self.at.date() == self.sale.placed_at.date()


UNREADABLE = frozenset(
    {Reason.NOT_CSV, Reason.WRONG_NUMBER_OF_COLUMNS, Reason.VALUE_MISSING, Reason.NO_NUMBER, Reason.NO_DATE}
)
"""The reasons of rows that cannot be read, rather than are no sale."""
