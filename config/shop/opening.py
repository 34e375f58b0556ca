"""A product is listed and stocked in one transaction.

So a command that runs again finds each product either missing, or listed and stocked, and leaves the latter alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, TypeVar

from django.db import IntegrityError

from config.shop.carry import TIMEOUT, carry_on
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import Sku
from integration.domain.metadata import new_story
from integration.domain.money import Money
from integration.storage.outages import repeated_after_outages
from inventory.commands import stock_up
from inventory.models import StockItem
from ordering.commands import list_products
from ordering.models import Product

T = TypeVar("T")

AT_ONCE = 500
"""Products listed in one transaction: many, for few statements; not all, so that other writers need not wait long."""


class Ware(NamedTuple):
    """A product with its price and its opening stock."""

    sku: Sku
    name: str
    description: str
    price: Money
    opening_stock: int


@repeated_after_outages
def open_shop(wares: Sequence[Ware], timeout: timedelta = TIMEOUT) -> int:
    """List and stock those of the wares that the shop lacks, and wait until all contexts have handled that.

    Returns:
        How many were new.

    Raises:
        PriceOutOfBounds, QuantityOutOfBounds: for a price or a stock beyond its limit.
        NotCarriedThrough: as `carry_on` does.
    """
    with new_story() as story:
        new = sum(_open_with_others(some) for some in _in_parts(wares))
    carry_on({story.correlation_id}, timeout)
    return new


def _open_with_others(wares: Sequence[Ware]) -> int:
    """List the wares, and try once more if another process listed one of them at the same time."""
    try:
        return _open(wares)
    except IntegrityError:
        return _open(wares)


def _open(wares: Sequence[Ware]) -> int:
    with unit_of_work():
        known = set(Product.objects.filter(pk__in=[ware.sku for ware in wares]).values_list("pk", flat=True))
        new = [ware for ware in wares if ware.sku not in known]
        list_products([(ware.sku, ware.name, ware.description, ware.price) for ware in new])
        stock_up([(ware.sku, ware.opening_stock) for ware in new if ware.opening_stock], "opening stock")
    return len(new)


@repeated_after_outages
def receive_missing(needed: Mapping[Sku, int], reference: str, timeout: timedelta = TIMEOUT) -> None:
    """Receive as much of every sku as is missing, and wait until all contexts have handled that.

    Raises:
        QuantityOutOfBounds: for more than the limit.
        NotCarriedThrough: as `carry_on` does.
    """
    with new_story() as story:
        for skus in _in_parts(sorted(needed)):
            with unit_of_work() as work:
                items = work.get_many(StockItem, skus)
                missing = {sku: needed[sku] - (items[sku].available if sku in items else 0) for sku in skus}
                stock_up([(sku, quantity) for sku, quantity in missing.items() if quantity > 0], reference)
    carry_on({story.correlation_id}, timeout)


def _in_parts(things: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), AT_ONCE):
        yield things[start : start + AT_ONCE]
