"""A product for sale. A price of zero is a price."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from integration.aggregates.aggregate import Aggregate, applies
from integration.domain.errors import Unacceptable
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.storage.columns import CurrencyField, MinorUnitsField, money
from ordering import events
from ordering.models.rates import MAX_WEIGHT_G, TaxClass

MAX_PRICE_MINOR = 10**11
"""The highest price in the currency's smallest unit, so that it does not depend on the currency's decimals."""


class PriceOutOfBounds(Unacceptable):
    """A price must be from 0 to 100,000,000,000 of its currency's smallest unit."""


class WeightOutOfBounds(Unacceptable):
    """The weight of a unit must be from 0 to 10,000,000 grams."""


class Availability(models.TextChoices):
    """How much of a product is available, as last published by inventory; it may be out of date."""

    IN_STOCK = "in_stock"
    LOW_STOCK = "low_stock"
    OUT_OF_STOCK = "out_of_stock"


class Product(Aggregate):
    """A product with its current price, and whether it is on sale."""

    stream = "product"

    sku = models.CharField(max_length=40, primary_key=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    currency = CurrencyField()
    price_minor = MinorUnitsField()
    price = money("price_minor")
    on_sale = models.BooleanField(default=True)
    tax_class = models.CharField(
        max_length=16, choices=TaxClass, default=TaxClass.STANDARD, db_default=TaxClass.STANDARD.value
    )
    weight_g = models.IntegerField("weight in grams", default=0, db_default=0)
    withdrawal_exempt = models.BooleanField(default=False, db_default=False)
    availability = models.CharField(max_length=12, choices=Availability, default=Availability.OUT_OF_STOCK)
    availability_sequence = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering: ClassVar = ["sku"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="product_price_is_not_negative")
        ]

    def __str__(self) -> str:
        return f"product {self.sku}"

    @classmethod
    def list_for_sale(
        cls,
        sku: Sku,
        name: str,
        description: str,
        price: Money,
        *,
        tax_class: str = TaxClass.STANDARD,
        weight_g: int = 0,
        withdrawal_exempt: bool = False,
    ) -> Self:
        """A new product, which is on sale; raises `PriceOutOfBounds`, `WeightOutOfBounds`."""
        cls._check_price(price)
        product = cls()
        product.record(events.ProductListed(sku=sku, name=name, description=description, price=price))
        product.set_terms(tax_class=tax_class, weight_g=weight_g, withdrawal_exempt=withdrawal_exempt)
        return product

    def set_terms(self, *, tax_class: str, weight_g: int, withdrawal_exempt: bool) -> None:
        """Set how new orders of the product are taxed, shipped and withdrawn from; raises `WeightOutOfBounds`."""
        self.require(0 <= weight_g <= MAX_WEIGHT_G, WeightOutOfBounds(pointer="/weight_g"))
        terms = (TaxClass(tax_class).value, weight_g, withdrawal_exempt)
        if terms != (self.tax_class, self.weight_g, self.withdrawal_exempt):
            self.record(
                events.ProductTermsChanged(tax_class=terms[0], weight_g=weight_g, withdrawal_exempt=withdrawal_exempt)
            )

    def change(self, *, name: str, description: str, price: Money, on_sale: bool) -> None:
        """Replace all four values for new orders; placed orders keep their prices. Raises `PriceOutOfBounds`."""
        self._check_price(price)
        changed = events.ProductChanged(name=name, description=description, price=price, on_sale=on_sale)
        if changed != events.ProductChanged(
            name=self.name, description=self.description, price=self.price, on_sale=self.on_sale
        ):
            self.record(changed)

    def show_availability(self, availability: Availability, sequence: int) -> None:
        """Set the availability that inventory published, unless `sequence` is not higher than the last one."""
        if sequence > self.availability_sequence:
            self.record(events.ProductAvailabilityChanged(availability=availability.value, sequence=sequence))

    @staticmethod
    def _check_price(price: Money) -> None:
        if not 0 <= price.minor <= MAX_PRICE_MINOR:
            raise PriceOutOfBounds(pointer="/price/amount")

    @applies(events.ProductListed)
    def _listed(self, event: events.ProductListed) -> None:
        self.sku, self.name, self.description = event.sku, event.name, event.description
        self.currency, self.price = event.price.currency, event.price

    @applies(events.ProductChanged)
    def _changed(self, event: events.ProductChanged) -> None:
        self.name, self.description, self.on_sale = event.name, event.description, event.on_sale
        self.currency, self.price = event.price.currency, event.price

    @applies(events.ProductTermsChanged)
    def _terms_changed(self, event: events.ProductTermsChanged) -> None:
        self.tax_class, self.weight_g, self.withdrawal_exempt = event.tax_class, event.weight_g, event.withdrawal_exempt

    @applies(events.ProductAvailabilityChanged)
    def _availability_changed(self, event: events.ProductAvailabilityChanged) -> None:
        self.availability, self.availability_sequence = event.availability, event.sequence
