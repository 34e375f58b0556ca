"""The demo shop is the catalogue and two people, put in once: whatever is there already stays as it is."""

from datetime import timedelta

from config.shop.carry import TIMEOUT
from config.shop.catalogue import CATALOGUE, CURRENCY
from config.shop.opening import Ware, open_shop
from integration.domain.identifiers import Sku
from integration.domain.money import Money


def fill_demo_shop(timeout: timedelta = TIMEOUT) -> int:
    """Offer and stock what is in the catalogue and new to the shop; returns how many products that were."""
    return open_shop(
        [
            Ware(Sku(ware.sku), ware.name, ware.description, Money(ware.price, CURRENCY), ware.opening_stock)
            for ware in CATALOGUE
        ],
        timeout,
    )
