"""The lines of an invoice: what each of them cost, and how much of it is refunded.

Every amount of an invoice is on its lines. So a sequence of refunds that refunds everything refunds what was paid, to
the smallest unit of the currency.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.events import CreditedLine
from integration.aggregates.aggregate import Part
from integration.domain.errors import Refused, Unacceptable
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.storage.columns import CurrencyField, MinorUnitsField, money

THOUSANDTHS = 1_000
"""Rates are stored in thousandths of a percent."""


class MoreThanIsLeft(Refused):
    """A refund must be more than zero, and at most what was paid and is not refunded yet."""


class NotInvoiced(Unacceptable):
    """The invoice has no line of this SKU."""


class InvoiceLine(Part):
    """One line of an invoice: a quantity of one SKU, at a unit price.

    `total_minor` is empty if the total is the subtotal less a share of the invoice's discount, as it is in all rows of
    older code. `Invoice.line_totals` knows it.
    `units_refunded` counts the units that were refunded, `credited` their money and the line's part of other refunds.
    `tax_minor` and `tax_rate_thousandths`, of a percent, are empty if there is no tax, or if the taxes are not known.
    `units_gone` counts the units that the order no longer has: they were cancelled, came back or were lost.
    """

    invoice = models.ForeignKey("Invoice", on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    currency = CurrencyField()
    unit_price_minor = MinorUnitsField()
    units_refunded = models.IntegerField(default=0, db_default=0)
    credited_minor = MinorUnitsField(default=0, db_default=0)
    units_gone = models.IntegerField(default=0, db_default=0)
    total_minor = MinorUnitsField(null=True)
    tax_minor = MinorUnitsField(null=True)
    tax_rate_thousandths = models.IntegerField(null=True)
    unit_price, credited, total = money("unit_price_minor"), money("credited_minor"), money("total_minor")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "sku"], name="one_invoice_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="invoice_line_of_something"),
            models.CheckConstraint(
                condition=Q(units_refunded__gte=0, units_refunded__lte=F("quantity"), credited_minor__gte=0),
                name="units_refunded_at_most_invoiced",
            ),
            models.CheckConstraint(
                condition=Q(units_gone__gte=0, units_gone__lte=F("quantity")), name="units_gone_at_most_invoiced"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @property
    def subtotal(self) -> Money:
        """The price of the line before any discount."""
        return self.unit_price * self.quantity

    @property
    def tax(self) -> Money:
        """The tax in what is due for the line; zero, too, if it is not known."""
        return Money.of_minor(self.tax_minor or 0, self.currency)

    @property
    def tax_rate(self) -> Decimal:
        """The rate of the tax in percent; zero, too, if it is not known."""
        return Decimal(self.tax_rate_thousandths or 0) / THOUSANDTHS


def credit_units(
    lines: Sequence[InvoiceLine], totals: Mapping[Sku, Money], wanted: Mapping[Sku, int], left: Money
) -> list[CreditedLine]:
    """What refunding units pays: what they are worth, at most what is left of the line and of the payment.

    Args:
        lines, totals: the lines, and what each of them costs, by SKU.
        wanted: the units to refund, by SKU.
        left: what was paid and is not owed back yet.

    Raises:
        NotInvoiced: a SKU is not on the invoice.
        MoreThanIsLeft: fewer units of a line are left.
    """
    credited = []
    by_sku = {line.sku: line for line in lines}
    for sku, quantity in wanted.items():
        if sku not in by_sku:
            raise NotInvoiced(f"the invoice has no line of {sku}", pointer="/lines")
        line, total = by_sku[sku], totals[sku]
        if not 1 <= quantity <= line.quantity - line.units_refunded:
            raise MoreThanIsLeft(f"{line.quantity - line.units_refunded} of {line.quantity} {sku} can be refunded")
        credited.append(_credit(line, total, quantity, left))
        left -= credited[-1].amount
    return credited


def credit_gone_units(
    lines: Sequence[InvoiceLine], totals: Mapping[Sku, Money], gone: Mapping[Sku, int], left: Money
) -> list[CreditedLine]:
    """What is to be credited because the order no longer has these units. It refuses nothing.

    Each unit is refunded once. Units that an operator refunded while the buyer had them are the first to go: they are
    not refunded again. So at least as many units are refunded as are gone.
    """
    credited = []
    for line in lines:
        gone_by_now = min(line.units_gone + gone.get(Sku(line.sku), 0), line.quantity)
        quantity = gone_by_now - line.units_refunded
        if quantity > 0:
            credited.append(_credit(line, totals[Sku(line.sku)], quantity, left))
            left -= credited[-1].amount
    return credited


def _credit(line: InvoiceLine, total: Money, quantity: int, left: Money) -> CreditedLine:
    worth = total.of_units(line.units_refunded, quantity, line.quantity)
    return CreditedLine(Sku(line.sku), quantity, min(worth, total - line.credited, left))


def shipping_left(lines: Sequence[InvoiceLine], totals: Mapping[Sku, Money], left: Money) -> Money:
    """What of the money that is left was paid for shipping: it is on no line."""
    remains = Money.sum((totals[Sku(line.sku)] - line.credited for line in lines), left.currency)
    return max(left - remains, Money.zero(left.currency))


def spread(lines: Sequence[InvoiceLine], totals: Mapping[Sku, Money], amount: Money, left: Money) -> list[CreditedLine]:
    """Share out an amount over what remains of the lines and of shipping, by largest remainder.

    Args:
        lines, totals: the lines, and what each of them costs, by SKU.
        amount: at most `left`.
        left: what was paid and is not owed back yet. What of it is on no line is shipping.

    Returns:
        The lines' shares; lines that get nothing are left out.
    """
    remains = [totals[Sku(line.sku)] - line.credited for line in lines]
    shipping = shipping_left(lines, totals, left)
    shares = amount.allocate([remaining.minor for remaining in [*remains, shipping]])
    return [CreditedLine(Sku(line.sku), 0, share) for line, share in zip(lines, shares, strict=False) if share]
