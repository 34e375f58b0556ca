"""The shop's own tables of tax rates and shipping rates. An order stores the amounts at the rates of its moment.

Rows are added, and a row that was used is not changed: a new rate is a new row with its first day.
"""

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from integration.storage.columns import CurrencyField, MinorUnitsField, money
from ordering.pricing.asked import Measure

THOUSANDTHS = 1_000
"""Rates are stored in thousandths of a percent."""
MAX_WEIGHT_G = 10_000_000
"""The highest weight of a unit: ten tonnes."""


class TaxClass(models.TextChoices):
    """The tax classes of products, in the words of the European Commission's table of rates."""

    STANDARD = "standard"
    REDUCED = "reduced"
    SUPER_REDUCED = "super_reduced"
    PARKING = "parking"
    ZERO = "zero"


class TaxRate(models.Model):
    """The rate of a tax class in a country or a region of it, from a day on until the next rate begins."""

    country = models.CharField(max_length=2)
    region = models.CharField(max_length=100, blank=True)
    tax_class = models.CharField(max_length=16, choices=TaxClass)
    percent_thousandths = models.PositiveIntegerField()
    valid_from = models.DateField()

    class Meta:
        ordering: ClassVar = ["country", "region", "tax_class", "-valid_from"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["country", "region", "tax_class", "valid_from"], name="one_tax_rate_a_day"),
            models.CheckConstraint(condition=Q(percent_thousandths__lte=100 * THOUSANDTHS), name="tax_at_most_all"),
        ]

    def __str__(self) -> str:
        return f"{self.percent.normalize():f} % {self.tax_class} in {self.country}{self.region and '-' + self.region}"

    @property
    def percent(self) -> Decimal:
        """The rate in percent."""
        return Decimal(self.percent_thousandths) / THOUSANDTHS


class ShippingRate(models.Model):
    """The price of a shipping option for a group of countries, from some weight or subtotal on.

    * `countries`: codes separated by spaces; empty for every country that no other rate of the option names.
    * `at_least`, `at_most`: in grams, or in minor units of the subtotal after discounts; without `at_most`, no limit.
    * `free_from`: the subtotal after discounts from which the option costs nothing; empty for never.
    """

    option = models.SlugField(max_length=40)
    name = models.CharField(max_length=100)
    countries = models.CharField(max_length=1_000, blank=True)
    measure = models.CharField(max_length=8, choices=[(each.value, each.value) for each in Measure], default="weight")
    at_least = models.PositiveBigIntegerField(default=0)
    at_most = models.PositiveBigIntegerField(null=True, blank=True)
    currency = CurrencyField()
    price_minor = MinorUnitsField()
    free_from_minor = MinorUnitsField(null=True, blank=True)
    price = money("price_minor")

    class Meta:
        ordering: ClassVar = ["option", "at_least", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="shipping_price_is_not_negative"),
            models.CheckConstraint(
                condition=Q(at_most__isnull=True) | Q(at_most__gte=F("at_least")), name="shipping_rate_has_a_range"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.option}: {self.price}"
