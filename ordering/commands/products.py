"""Commands on products: list them for sale, change them, and update their availability."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import Refused
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from ordering.models import Availability, Product

PRESENTED, TERMS = ("name", "description", "price", "on_sale"), ("tax_class", "weight_g", "withdrawal_exempt")
"""The fields of a product that change together, with one event."""


class SkuTaken(Refused):
    """This SKU is taken by another product."""


def list_product(sku: Sku, name: str, description: str, price: Money, **terms: Any) -> Product:
    """List a new product for sale and return it.

    Args:
        terms: some of `tax_class`, `weight_g` and `withdrawal_exempt`.

    Raises:
        SkuTaken: there is a product with this SKU.
        PriceOutOfBounds, WeightOutOfBounds: for a price or a weight beyond its limits.
    """
    with unit_of_work() as work:
        if work.find(Product, sku):
            raise SkuTaken(f"there is already a product {sku}")
        product = Product.list_for_sale(sku, name, description, price, **terms)
        work.add(product)
    return product


def list_products(goods: Sequence[tuple[Sku, str, str, Money]]) -> int:
    """List several products for sale, each as SKU, name, description and price; existing SKUs are skipped.

    Returns:
        How many products were new.

    Raises:
        PriceOutOfBounds: no product is listed then.
    """
    with unit_of_work() as work:
        existing = work.get_many(Product, [sku for sku, *_ in goods])
        new = [product for product in goods if product[0] not in existing]
        for sku, name, description, price in new:
            work.add(Product.list_for_sale(sku, name, description, price))
    return len(new)


def change_product(sku: Sku, changes: Mapping[str, Any], if_version: Collection[int] | None = None) -> Product:
    """Change some of `name`, `description`, `price`, `on_sale`, `tax_class`, `weight_g` and `withdrawal_exempt`.

    Returns:
        The changed product.

    Raises:
        NotFound: there is no product with this SKU.
        PriceOutOfBounds, WeightOutOfBounds: for a price or a weight beyond its limits.
        StaleVersion: the product is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        product = work.get(Product, sku)
        product.expect_version(if_version)
        for names, change in ((PRESENTED, product.change), (TERMS, product.set_terms)):
            change(**{name: changes.get(name, getattr(product, name)) for name in names})
    return product


def lock_products(skus: Collection[Sku]) -> None:
    """Lock several products."""
    with unit_of_work() as work:
        work.prefetch(Product, skus)


def show_availability(sku: Sku, availability: Availability, sequence: int) -> None:
    """Set the availability of a product to what inventory published; do nothing for a SKU that has no product.

    Args:
        sequence: inventory's number of the change; the product ignores a number that is not higher than its last.
    """
    with unit_of_work() as work:
        product = work.find(Product, sku)
        if product:
            product.show_availability(availability, sequence)
