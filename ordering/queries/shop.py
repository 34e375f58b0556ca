"""The shop's rules of pricing, read from its tables of rates and its settings."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection

from integration.domain.money import Money
from ordering.models.rates import THOUSANDTHS
from ordering.pricing import ShippingRate, Shop, TaxRate
from ordering.pricing.asked import Measure

RATES = """
    SELECT 'tax' AS kind, tax_class AS a, region AS b, '' AS c, '' AS d, percent_thousandths AS e, 0 AS f,
           NULL AS g, NULL AS h, CAST(valid_from AS text) AS day
    FROM ordering_taxrate WHERE country = %s
    UNION ALL
    SELECT 'shipping', option, name, countries, measure, price_minor, at_least, at_most, free_from_minor, ''
    FROM ordering_shippingrate WHERE currency = %s
    ORDER BY kind, a, f
"""
"""One statement reads both tables, because every order that is placed needs both."""


def shop_for(currency: str, country: str) -> Shop:
    """Return the rules of pricing for orders in a currency to a country; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(RATES, [country, currency])
        rows = cursor.fetchall()
    return Shop(
        currency=currency,
        tax_rates=tuple(_tax_rate(country, row) for row in rows if row[0] == "tax"),
        shipping_rates=tuple(_shipping_rate(currency, row) for row in rows if row[0] == "shipping"),
        prices_include_tax=settings.PRICES_INCLUDE_TAX,
        round_half_even=settings.TAX_ROUNDING == "half_even",
    )


def _tax_rate(country: str, row: Any) -> TaxRate:
    _, tax_class, region, _, _, thousandths, *_, day = row
    return TaxRate(country, tax_class, Decimal(thousandths) / THOUSANDTHS, date.fromisoformat(day), region)


def _shipping_rate(currency: str, row: Any) -> ShippingRate:
    _, option, name, countries, measure, price, at_least, at_most, free_from, _ = row
    return ShippingRate(
        option=option,
        name=name,
        price=Money.of_minor(price, currency),
        countries=frozenset(countries.split()),
        measure=Measure(measure),
        at_least=at_least,
        at_most=at_most,
        free_from=None if free_from is None else Money.of_minor(free_from, currency),
    )
