"""The lines of an order: their limits, and what they cost together."""

from collections.abc import Sequence
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q

from integration.aggregates.aggregate import Aggregate, Part
from integration.domain.errors import Unacceptable
from integration.domain.money import Money
from integration.storage.columns import CurrencyField, MinorUnitsField, money
from ordering.events import PlacedLine

MAX_LINES = 2_000
MAX_QUANTITY = 100_000
MAX_TOTAL_MINOR = 10**16
"""Even hundreds of such orders add up to what a column of minor units holds, whatever the currency's decimals."""


class MixedCurrencies(Unacceptable):
    """All products of an order are priced in one currency."""


class TooManyLines(Unacceptable):
    """An order has 1 to 2,000 lines."""


class QuantityOutOfBounds(Unacceptable):
    """A quantity is a whole number from 1 to 100,000."""


class TooExpensive(Unacceptable):
    """An order costs at most 10,000,000,000,000,000 of its currency's smallest unit."""


def subtotal_of(lines: Sequence[PlacedLine]) -> Money:
    """The sum of an order's lines, before any discount.

    Raises:
        TooManyLines, QuantityOutOfBounds, MixedCurrencies, TooExpensive: as their sentences say.
    """
    if not 1 <= len(lines) <= MAX_LINES:
        raise TooManyLines(pointer="/lines")
    if not all(1 <= line.quantity <= MAX_QUANTITY for line in lines):
        raise QuantityOutOfBounds(pointer="/lines")
    currency = lines[0].unit_price.currency
    if not all(line.unit_price.currency == currency for line in lines):
        raise MixedCurrencies(pointer="/lines")
    subtotal = Money.sum((line.total for line in lines), currency)
    if subtotal.minor > MAX_TOTAL_MINOR:
        raise TooExpensive(pointer="/lines")
    return subtotal


class OrderLine(Part):
    """So many of one product in an order."""

    order = models.ForeignKey("Order", on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40, db_index=True)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    shipped = models.PositiveIntegerField(default=0)
    currency = CurrencyField()
    unit_price_minor = MinorUnitsField()
    unit_price = money("unit_price_minor")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "sku"], name="one_line_a_sku"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MAX_QUANTITY), name="line_quantity_in_bounds"
            ),
            models.CheckConstraint(condition=Q(shipped__lte=F("quantity")), name="line_shipped_at_most_ordered"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @classmethod
    def placed(cls, order: Aggregate, line: PlacedLine) -> Self:
        """A line of an order that is being placed."""
        return cls.of(
            order,
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            currency=line.unit_price.currency,
            unit_price_minor=line.unit_price.minor,
        )

    @property
    def total(self) -> Money:
        """What the line costs before any discount."""
        return self.unit_price * self.quantity
