"""Commands on products: list them, change them, show their availability."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import Refused
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from ordering.models import Availability, Product


class SkuTaken(Refused):
    """There is a product with this sku already."""


def list_product(sku: Sku, name: str, description: str, price: Money) -> Product:
    """Offer a product new to the shop; raises `SkuTaken`, `PriceOutOfBounds`."""
    with unit_of_work() as work:
        if work.find(Product, sku):
            raise SkuTaken(f"there is a product {sku} already")
        product = Product.list_for_sale(sku, name, description, price)
        work.add(product)
    return product


def list_products(goods: Sequence[tuple[Sku, str, str, Money]]) -> int:
    """Offer several products, passing over those the shop has already.

    Returns:
        How many were new.
    """
    with unit_of_work() as work:
        known = work.get_many(Product, [sku for sku, *_ in goods])
        new = [product for product in goods if product[0] not in known]
        for sku, name, description, price in new:
            work.add(Product.list_for_sale(sku, name, description, price))
    return len(new)


def change_product(sku: Sku, changes: Mapping[str, Any], if_version: Collection[int] | None = None) -> Product:
    """Change some of `name`, `description`, `price` and `on_sale`.

    Raises:
        NotFound, PriceOutOfBounds: as they say.
        StaleVersion: the product is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        product = work.get(Product, sku)
        product.expect_version(if_version)
        now = {
            "name": product.name,
            "description": product.description,
            "price": product.price,
            "on_sale": product.on_sale,
        }
        product.change(**{**now, **changes})
    return product


def show_availability(sku: Sku, availability: Availability, sequence: int) -> None:
    """Take over what inventory says of a product; a sku that was never for sale is no business of ordering's."""
    with unit_of_work() as work:
        product = work.find(Product, sku)
        if product:
            product.show_availability(availability, sequence)
