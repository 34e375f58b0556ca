"""The last step: tax on what the discounts left, by country or region, tax class and day.

Source: Directive 2006/112/EC, Article 79 (a discount reduces the taxable amount), Article 78 (transport costs are part
of it) and Article 93 (the rate is the one in force when the tax becomes due).
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from integration.domain.money import Money
from ordering.pricing.asked import STANDARD, ZERO, Asked, Destination, Shop, TaxRate
from ordering.pricing.priced import NO_TAX, PricedOrder, PricedShipping, TaxOfRate


def add_tax(order: PricedOrder, asked: Asked, shop: Shop) -> PricedOrder:
    """Add to each line its rate and its tax, rounded once per line, and to shipping its own.

    Shipping is shared over the rates of the lines in proportion to the lines' totals, and each share is taxed at its
    rate.
    """
    if asked.destination is None or not shop.tax_rates:
        return order
    day = asked.moment.date()
    rates = {name: _rate(shop.tax_rates, asked.destination, name, day) for name in {i.tax_class for i in asked.items}}
    lines = []
    taxes: dict[Decimal, Money] = {}
    totals: dict[Decimal, Money] = {}
    zero = Money.zero(order.currency)
    for line in order.lines:
        rate = rates[line.tax_class]
        tax, total = _taxed(line.reduced, rate, shop)
        lines.append(replace(line, tax_rate=rate, tax=tax, total=total))
        taxes[rate] = taxes.get(rate, zero) + tax
        totals[rate] = totals.get(rate, zero) + total
    shipping = order.shipping
    if shipping and totals:
        parts = shipping.reduced.allocate([total.minor for total in totals.values()])
        taxed = [(rate, *_taxed(part, rate, shop)) for rate, part in zip(totals, parts, strict=True)]
        for rate, tax, _ in taxed:
            taxes[rate] += tax
        shipping = _with_tax(shipping, (tax for _, tax, _ in taxed), (total for _, _, total in taxed))
    return replace(
        order,
        lines=tuple(lines),
        shipping=shipping,
        taxes=tuple(TaxOfRate(rate, taxes[rate]) for rate in sorted(taxes) if rate),
    )


def _taxed(base: Money, rate: Decimal, shop: Shop) -> tuple[Money, Money]:
    """The tax of an amount, and what the buyer pays for it."""
    half_up = not shop.round_half_even
    if shop.prices_include_tax:
        return base.share(rate, 100 + rate, half_up=half_up), base
    tax = base.percent(rate, half_up=half_up)
    return tax, base + tax


def _with_tax(shipping: PricedShipping, taxes: Iterable[Money], totals: Iterable[Money]) -> PricedShipping:
    currency = shipping.price.currency
    return replace(shipping, tax=Money.sum(taxes, currency), total=Money.sum(totals, currency))


def _rate(rates: Iterable[TaxRate], destination: Destination, tax_class: str, day: date) -> Decimal:
    """The rate in percent on a day.

    A region with rates of its own uses only those. A class without a rate there is taxed as the standard class. A
    country without rates is not taxed.
    """
    begun = [rate for rate in rates if rate.country == destination.country and rate.valid_from <= day]
    here = [rate for rate in begun if destination.region and rate.region == destination.region]
    here = here or [rate for rate in begun if not rate.region]
    for name in () if tax_class == ZERO else (tax_class, STANDARD):
        if of_class := [rate for rate in here if rate.tax_class == name]:
            return max(of_class, key=lambda rate: rate.valid_from).percent
    return NO_TAX
