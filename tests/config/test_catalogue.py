"""The demo's goods are what demos need: a correct price list, some expensive goods, and some scarce ones."""

import re
from collections import Counter
from dataclasses import FrozenInstanceError
from decimal import Decimal

import pytest

from config.shop.catalogue import CATALOGUE, SCARCE_STOCK, DemoProduct

BIG_ORDER = Decimal(6000)


@pytest.mark.parametrize("product", CATALOGUE, ids=lambda product: product.sku)
class TestEveryProduct:
    def test_has_a_sku_of_capitals_digits_and_hyphens(self, product: DemoProduct) -> None:
        assert re.fullmatch(r"[A-Z0-9]+(-[A-Z0-9]+)+", product.sku)
        assert len(product.sku) <= 40

    def test_has_a_name_and_one_sentence_about_it(self, product: DemoProduct) -> None:
        assert product.name == product.name.strip() != ""
        assert product.description[0].isupper()
        assert product.description.endswith(".")
        assert ". " not in product.description

    def test_has_a_price_in_whole_cents(self, product: DemoProduct) -> None:
        assert Decimal(1) < product.price < Decimal(1000)
        assert product.price.as_tuple().exponent == -2

    def test_has_no_negative_opening_stock(self, product: DemoProduct) -> None:
        assert product.opening_stock >= 0


def test_no_two_products_share_a_sku_or_a_name() -> None:
    assert len({product.sku for product in CATALOGUE}) == len(CATALOGUE)
    assert len({product.name for product in CATALOGUE}) == len(CATALOGUE)


def test_there_are_about_forty_products_in_a_few_categories() -> None:
    shelves = Counter(product.category for product in CATALOGUE)

    assert 35 <= len(CATALOGUE) <= 45
    assert 5 <= len(shelves) <= 6
    assert min(shelves.values()) >= 5


def test_products_of_a_category_are_listed_together() -> None:
    neighbours = [product.category for product in CATALOGUE]

    assert neighbours == sorted(neighbours, key=neighbours.index)


def test_some_goods_are_scarce_and_most_are_not() -> None:
    scarce = [product for product in CATALOGUE if product.is_scarce]

    assert {product.opening_stock for product in scarce} == {0, 1, SCARCE_STOCK}
    assert len(scarce) < len(CATALOGUE) / 4


def test_one_buyer_can_order_for_more_than_six_thousand_dollars_of_a_single_product() -> None:
    assert any(product.price * product.opening_stock > BIG_ORDER for product in CATALOGUE if product.price > 500)


def test_a_product_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        CATALOGUE[0].price = Decimal(1)  # type: ignore[misc]
