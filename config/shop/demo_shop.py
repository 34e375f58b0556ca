"""The demo shop is the catalogue and two users. Products and users that exist are not changed."""

from datetime import timedelta

from config.shop.carry import TIMEOUT
from config.shop.catalogue import CATALOGUE, CURRENCY
from config.shop.opening import Ware, open_shop
from integration.domain.identifiers import Sku
from integration.domain.money import Money


def fill_demo_shop(timeout: timedelta = TIMEOUT) -> int:
    """List and stock the products of the catalogue that the shop lacks; returns how many there were."""
    return open_shop(
        [
            Ware(Sku(ware.sku), ware.name, ware.description, Money(ware.price, CURRENCY), ware.opening_stock)
            for ware in CATALOGUE
        ],
        timeout,
    )
