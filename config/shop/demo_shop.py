"""The demo shop is the catalogue, shipping options, a voucher and two users. What exists is not changed."""

from datetime import timedelta
from decimal import Decimal

from config.shop.carry import TIMEOUT
from config.shop.catalogue import CATALOGUE, CURRENCY
from config.shop.demo_orders import ACTOR
from config.shop.opening import Ware, open_shop
from integration.domain.identifiers import Sku
from integration.domain.metadata import new_story
from integration.domain.money import Money
from ordering.commands import create_voucher
from ordering.models import ShippingRate, Voucher

OPTIONS = (("standard", "Standard", "4.90", "75.00"), ("express", "Express, two days", "14.90", None))
"""The shipping options of the demo: identifier, name, price, and the subtotal from which it costs nothing."""
VOUCHER = "WELCOME10"


def fill_demo_shop(timeout: timedelta = TIMEOUT) -> int:
    """List and stock the products of the catalogue that the shop lacks; returns how many there were."""
    return open_shop(
        [
            Ware(Sku(ware.sku), ware.name, ware.description, Money(ware.price, CURRENCY), ware.opening_stock)
            for ware in CATALOGUE
        ],
        timeout,
    )


def offer_shipping() -> int:
    """Offer the demo's shipping options everywhere, unless the shop has options already; returns how many are new."""
    if ShippingRate.objects.exists():
        return 0
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
    return len(OPTIONS)


def offer_voucher() -> int:
    """Create the demo's voucher, unless there is one with its code; returns how many are new."""
    if Voucher.objects.filter(pk=VOUCHER).exists():
        return 0
    with new_story(actor=ACTOR):
        create_voucher(VOUCHER, {"name": "Welcome", "kind": "percent", "value": Decimal(10), "limit": 1_000})
    return 1
