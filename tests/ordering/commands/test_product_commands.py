"""Commands on products, and how products show what inventory says."""

import pytest

from integration.contracts import inventory as from_inventory
from integration.contracts import ordering as to_others
from integration.domain.errors import NotFound, StaleVersion
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.messaging.models import Delivery
from ordering import commands
from ordering.commands import SkuTaken
from ordering.models import Availability, PriceOutOfBounds, Product
from tests.ordering.commands.shared import MUG, PublishAll, Published

pytestmark = pytest.mark.django_db


def test_a_product_is_listed_and_the_others_hear_of_it(published: Published) -> None:
    commands.list_product(MUG, "Mug", "Blue", Money("12.50", "USD"))

    product = Product.objects.get()
    assert (product.sku, product.price, product.on_sale) == (MUG, Money("12.50", "USD"), True)
    assert product.availability == Availability.OUT_OF_STOCK
    assert published(to_others.ProductListed) == [to_others.ProductListed(MUG, "Mug")]


def test_a_sku_is_listed_once(goods: None) -> None:
    with pytest.raises(SkuTaken):
        commands.list_product(MUG, "Other mug", "", Money("1", "USD"))

    assert Product.objects.get(pk=MUG).name == "Mug"


def test_many_products_are_listed_passing_over_those_there_are(goods: None) -> None:
    new = commands.list_products(
        [(MUG, "Other mug", "", Money("1", "USD")), (Sku("PEN"), "Pen", "", Money("1", "USD"))]
    )

    assert new == 1
    assert dict(Product.objects.values_list("sku", "name")) == {"MUG": "Mug", "LAMP": "Lamp", "PEN": "Pen"}


@pytest.mark.parametrize("price", ["0", "-0.01", "10000000.01"])
def test_a_price_is_more_than_nothing_and_not_absurd(price: str) -> None:
    with pytest.raises(PriceOutOfBounds):
        commands.list_product(MUG, "Mug", "", Money(price, "USD"))

    assert not Product.objects.exists()


def test_a_product_is_changed_only_in_the_version_somebody_read(goods: None) -> None:
    commands.change_product(MUG, {"name": "Cup"}, if_version={1})

    with pytest.raises(StaleVersion):
        commands.change_product(MUG, {"name": "Beaker"}, if_version={1})

    assert Product.objects.get(pk=MUG).name == "Cup"


def test_a_change_that_changes_nothing_is_no_event(goods: None) -> None:
    commands.change_product(MUG, {"name": "Mug", "price": Money("12.5", "USD")})

    assert Product.objects.get(pk=MUG).version == 1


def test_an_unknown_product_is_not_changed() -> None:
    with pytest.raises(NotFound):
        commands.change_product(MUG, {"name": "Cup"})


def test_products_show_what_inventory_said_last_whatever_order_it_is_heard_in(goods: None, hear: PublishAll) -> None:
    said = [
        (from_inventory.StockReplenished(MUG, 50, 3), "in_stock"),
        (from_inventory.StockRanOut(MUG, 9), "out_of_stock"),
        (from_inventory.StockRanLow(MUG, 2, 7), "out_of_stock"),
        (from_inventory.StockReplenished(MUG, 50, 5), "out_of_stock"),
        (from_inventory.StockRanOut(MUG, 9), "out_of_stock"),
        (from_inventory.StockRanLow(MUG, 4, 12), "low_stock"),
    ]
    for message, shown in said:
        hear(message)
        assert Product.objects.get(pk=MUG).availability == shown


def test_stock_of_what_was_never_for_sale_is_no_business_of_orderings(hear: PublishAll) -> None:
    hear(from_inventory.StockRanLow(Sku("SECRET"), 2, 7))

    assert set(Delivery.objects.values_list("status", flat=True)) == {"done"}
    assert not Product.objects.exists()
