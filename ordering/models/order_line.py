"""The lines of an order: their limits and their sum."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q

from integration.aggregates.aggregate import Aggregate, Part
from integration.domain.errors import Unacceptable
from integration.domain.money import Money
from integration.storage.columns import CurrencyField, MinorUnitsField, money
from ordering.events import PlacedLine
from ordering.models.order_prices import amounts_of
from ordering.pricing import Item

MAX_LINES = 2_000
MAX_QUANTITY = 100_000
MAX_TOTAL_MINOR = 10**16
"""The limit allows for sums: hundreds of such orders fit in a 64-bit column of minor units, in any currency."""


class MixedCurrencies(Unacceptable):
    """All products of an order must be priced in one currency."""


class TooManyLines(Unacceptable):
    """An order must have 1 to 2,000 lines."""


class QuantityOutOfBounds(Unacceptable):
    """A quantity must be a whole number from 1 to 100,000."""


class TooExpensive(Unacceptable):
    """An order must cost at most 10,000,000,000,000,000 of its currency's smallest unit."""


def subtotal_of(lines: Sequence[Item]) -> Money:
    """The sum of an order's lines, before any discount.

    Raises:
        TooManyLines: there are not 1 to `MAX_LINES` lines.
        QuantityOutOfBounds: a quantity is not from 1 to `MAX_QUANTITY`.
        MixedCurrencies: the prices are not all in one currency.
        TooExpensive: the sum exceeds `MAX_TOTAL_MINOR`.
    """
    if not 1 <= len(lines) <= MAX_LINES:
        raise TooManyLines(pointer="/lines")
    if not all(1 <= line.quantity <= MAX_QUANTITY for line in lines):
        raise QuantityOutOfBounds(pointer="/lines")
    currency = lines[0].unit_price.currency
    if not all(line.unit_price.currency == currency for line in lines):
        raise MixedCurrencies(pointer="/lines")
    subtotal = Money.sum((line.unit_price * line.quantity for line in lines), currency)
    if subtotal.minor > MAX_TOTAL_MINOR:
        raise TooExpensive(pointer="/lines")
    return subtotal


class OrderLine(Part):
    """A quantity of one product in an order, and what became of it.

    Each unit is `open`, `cancelled` or `shipped`. Of the shipped ones some were `returned`, or `lost` on their way.

    The last four amounts are empty in a plain order; `Order.shown_lines` knows them. The rate is in thousandths of a
    percent.
    """

    order = models.ForeignKey("Order", on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40, db_index=True)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    shipped = models.PositiveIntegerField(default=0)
    cancelled = models.IntegerField(default=0, db_default=0)
    returned = models.IntegerField(default=0, db_default=0)
    lost = models.IntegerField(default=0, db_default=0)
    currency = CurrencyField()
    unit_price_minor = MinorUnitsField()
    unit_price = money("unit_price_minor")
    discount_minor = MinorUnitsField(null=True)
    tax_minor = MinorUnitsField(null=True)
    tax_rate_thousandths = models.IntegerField(null=True)
    total_minor = MinorUnitsField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "sku"], name="one_line_a_sku"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MAX_QUANTITY), name="line_quantity_in_bounds"
            ),
            models.CheckConstraint(condition=Q(shipped__lte=F("quantity")), name="line_shipped_at_most_ordered"),
            models.CheckConstraint(
                condition=Q(cancelled__gte=0, returned__gte=0, lost__gte=0)
                & Q(quantity__gte=F("shipped") + F("cancelled"))
                & Q(shipped__gte=F("returned") + F("lost")),
                name="line_each_unit_goes_one_way",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @classmethod
    def placed(cls, order: Aggregate, line: PlacedLine, *, is_plain: bool) -> Self:
        """The row of a line of an order that is being placed."""
        return cls.of(
            order,
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            currency=line.unit_price.currency,
            unit_price_minor=line.unit_price.minor,
            **({} if is_plain else amounts_of(line)),
        )

    @property
    def subtotal(self) -> Money:
        """The price of the line before any discount."""
        return self.unit_price * self.quantity

    @property
    def open(self) -> int:
        """The units that are neither shipped nor cancelled."""
        return self.quantity - self.cancelled - self.shipped

    @property
    def facts(self) -> dict[str, Any]:
        """The line as `shown_lines` takes it."""
        return {**vars(self), "unit_price": self.unit_price_minor}
