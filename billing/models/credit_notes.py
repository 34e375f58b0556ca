"""What a credit note takes back, line by line, and the tax in it.

Credit notes that take back a whole line take back its whole tax, whatever their parts are: each has the difference
between the tax of all that is taken back after it and before it.

Source: Directive 2006/112/EC, article 90 (the taxable amount is reduced if the price is reduced after the supply, or
the order is cancelled or refused).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from billing.events import CreditedLine, CreditNoteContent, CreditNoteLine, InvoicedTax
from billing.models.invoice_line import InvoiceLine
from integration.domain.identifiers import Sku
from integration.domain.money import Money


def content_of(
    lines: Sequence[InvoiceLine],
    totals: Mapping[Sku, Money],
    credited: Sequence[CreditedLine],
    shipping: tuple[Money, Money, Money],
    taxes: Mapping[Decimal, Money] | None,
    reason: str,
) -> CreditNoteContent:
    """The content of a credit note; call it before the lines count what is credited.

    Args:
        lines, totals: the lines of the invoice, and what each of them costs, by SKU.
        credited: what is taken back of lines.
        shipping: what shipping costs, how much of it was taken back before, and how much is taken back now.
        taxes: the tax of shipping by rate; None if the invoice's taxes are not known.
    """
    by_sku = {line.sku: line for line in lines}
    noted = [_line(by_sku[line.sku], totals[line.sku], line, is_taxed=taxes is not None) for line in credited]
    by_rate: dict[Decimal, Money] = {}
    for line in noted:
        if line.tax and line.tax_rate:
            by_rate[line.tax_rate] = line.tax + by_rate.get(line.tax_rate, Money.zero(line.tax.currency))
    for rate, tax in (taxes or {}).items():
        by_rate[rate] = tax_between(tax, *shipping) + by_rate.get(rate, Money.zero(tax.currency))
    return CreditNoteContent(
        lines=tuple(noted),
        shipping=shipping[2],
        taxes=tuple(InvoicedTax(rate, by_rate[rate]) for rate in sorted(by_rate) if by_rate[rate]),
        reason=reason,
    )


def _line(line: InvoiceLine, total: Money, credited: CreditedLine, *, is_taxed: bool) -> CreditNoteLine:
    tax = tax_between(line.tax, total, line.credited, credited.amount) if is_taxed else None
    rate = line.tax_rate if is_taxed else None
    return CreditNoteLine(credited.sku, credited.quantity, credited.amount, tax, rate)


def tax_between(tax: Money, total: Money, before: Money, amount: Money) -> Money:
    """The tax in `amount` of a total with this tax, of which `before` was taken back earlier."""
    if not total:
        return Money.zero(tax.currency)
    return tax.share((before + amount).minor, total.minor, half_up=True) - tax.share(
        before.minor, total.minor, half_up=True
    )


def taxes_of_shipping(lines: Sequence[InvoiceLine], taxes: Sequence[InvoicedTax]) -> dict[Decimal, Money]:
    """The tax of shipping by rate: what of the invoice's taxes is not that of its lines."""
    left = {tax.rate: tax.amount for tax in taxes}
    for line in lines:
        if line.tax:
            left[line.tax_rate] = left.get(line.tax_rate, Money.zero(line.currency)) - line.tax
    return {rate: tax for rate, tax in left.items() if tax}
