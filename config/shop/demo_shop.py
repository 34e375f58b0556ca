"""The demo shop is the catalogue and two users. Products and users that exist are not changed."""

from datetime import timedelta
from decimal import Decimal

from config.shop.carry import TIMEOUT
from config.shop.catalogue import CATALOGUE, CURRENCY
from config.shop.opening import Ware, open_shop
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from ordering.models import ShippingRate

OPTIONS = (("standard", "Standard", "4.90", "75.00"), ("express", "Express, two days", "14.90", None))
"""The shipping options of the demo: identifier, name, price, and the subtotal from which it costs nothing."""


def fill_demo_shop(timeout: timedelta = TIMEOUT) -> int:
    """List and stock the products of the catalogue that the shop lacks; returns how many there were."""
    return open_shop(
        [
            Ware(Sku(ware.sku), ware.name, ware.description, Money(ware.price, CURRENCY), ware.opening_stock)
            for ware in CATALOGUE
        ],
        timeout,
    )


def offer_shipping() -> None:
    """Offer the demo's shipping options everywhere, unless the shop has shipping options already."""
    if not ShippingRate.objects.exists():
        ShippingRate.objects.bulk_create(
            ShippingRate(
                option=option,
                name=name,
                currency=CURRENCY,
                price_minor=Money(Decimal(price), CURRENCY).minor,
                free_from_minor=free_from and Money(Decimal(free_from), CURRENCY).minor,
            )
            for option, name, price, free_from in OPTIONS
        )
