"""The command that adds European VAT rates to the shop's own table.

Source: the package `eu-vat-rates-data`, which takes the rates of the EU from the European Commission's database TEDB.
An order is priced by the table alone, so a new version of the package changes no price.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from eu_vat_rates_data import dataset

from ordering.models import TaxClass, TaxRate
from ordering.models.rates import THOUSANDTHS

EUROPE: Mapping[str, Mapping[str, Any]] = {code: rates for code, rates in dataset["rates"].items() if code != "XI"}
"""The rates by country. Northern Ireland is left out: its goods are addressed to GB."""


class Loaded(NamedTuple):
    """What was added, and the countries whose reduced rates the shop must choose itself."""

    added: int
    without_reduced: list[str]


def load_tax_rates(countries: Iterable[str], valid_from: date) -> Loaded:
    """Add the rates of these countries, except those that are valid on that day already.

    A country with several reduced rates gets none: which goods are taxed at which rate is national law.
    """
    countries = list(countries)
    with transaction.atomic():
        valid: dict[tuple[str, str], int] = {}
        known = TaxRate.objects.filter(country__in=countries, region="", valid_from__lte=valid_from)
        for rate in known.order_by("valid_from"):
            valid[rate.country, rate.tax_class] = rate.percent_thousandths
        new = [
            TaxRate(country=country, tax_class=name, percent_thousandths=thousandths, valid_from=valid_from)
            for country in countries
            for name, thousandths in _rates(EUROPE[country])
            if valid.get((country, name)) != thousandths
        ]
        TaxRate.objects.bulk_create(new)
    return Loaded(len(new), [country for country in countries if len(EUROPE[country]["reduced"]) > 1])


def _rates(rates: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    found = {
        TaxClass.STANDARD: rates["standard"],
        TaxClass.REDUCED: rates["reduced"][0] if len(rates["reduced"]) == 1 else None,
        TaxClass.SUPER_REDUCED: rates["super_reduced"],
        TaxClass.PARKING: rates["parking"],
    }
    for name, percent in found.items():
        if percent is not None:
            yield name.value, int(Decimal(str(percent)) * THOUSANDTHS)
