"""Commands on products, and their availability as inventory publishes it."""

import pytest

from integration.contracts import inventory as inventory_contracts
from integration.contracts import ordering as ordering_contracts
from integration.domain.errors import NotFound, StaleVersion
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.messaging.models import Delivery
from ordering import commands
from ordering.commands import SkuTaken
from ordering.models import Availability, PriceOutOfBounds, Product
from tests.ordering.commands.shared import MUG, PublishAll, Published

pytestmark = pytest.mark.django_db


def test_a_listed_product_is_published(published: Published) -> None:
    commands.list_product(MUG, "Mug", "Blue", Money("12.50", "USD"))

    product = Product.objects.get()
    assert (product.sku, product.price, product.on_sale) == (MUG, Money("12.50", "USD"), True)
    assert product.availability == Availability.OUT_OF_STOCK
    assert published(ordering_contracts.ProductListed) == [ordering_contracts.ProductListed(sku=MUG, name="Mug")]


def test_a_sku_can_be_listed_only_once(goods: None) -> None:
    with pytest.raises(SkuTaken):
        commands.list_product(MUG, "Other mug", "", Money("1", "USD"))

    assert Product.objects.get(pk=MUG).name == "Mug"


def test_listing_many_products_skips_existing_ones(goods: None) -> None:
    new = commands.list_products(
        [(MUG, "Other mug", "", Money("1", "USD")), (Sku("PEN"), "Pen", "", Money("1", "USD"))]
    )

    assert new == 1
    assert dict(Product.objects.values_list("sku", "name")) == {"MUG": "Mug", "LAMP": "Lamp", "PEN": "Pen"}


@pytest.mark.parametrize("price", ["-1000", "-0.01", "1000000000.01"])
def test_a_price_out_of_bounds_is_refused(price: str) -> None:
    with pytest.raises(PriceOutOfBounds):
        commands.list_product(MUG, "Mug", "", Money(price, "USD"))

    assert not Product.objects.exists()


def test_a_price_of_zero_is_a_price(goods: None) -> None:
    commands.list_product(Sku("LEAFLET"), "Leaflet", "", Money("0", "USD"))
    commands.change_product(MUG, {"price": Money("0", "USD")})
    assert {row.price.minor for row in Product.objects.filter(sku__in=["LEAFLET", MUG])} == {0}


def test_a_product_is_changed_only_in_an_expected_version(goods: None) -> None:
    commands.change_product(MUG, {"name": "Cup"}, if_version={1})

    with pytest.raises(StaleVersion):
        commands.change_product(MUG, {"name": "Beaker"}, if_version={1})

    assert Product.objects.get(pk=MUG).name == "Cup"


def test_a_change_to_the_same_values_records_no_event(goods: None) -> None:
    commands.change_product(MUG, {"name": "Mug", "price": Money("12.5", "USD")})

    assert Product.objects.get(pk=MUG).version == 1


def test_an_unknown_product_cannot_be_changed() -> None:
    with pytest.raises(NotFound):
        commands.change_product(MUG, {"name": "Cup"})


def test_availability_is_the_latest_in_whatever_order_contracts_arrive(goods: None, consume: PublishAll) -> None:
    contracts = [
        (inventory_contracts.StockReplenished(sku=MUG, available=50, sequence=3), "in_stock"),
        (inventory_contracts.StockRanOut(sku=MUG, sequence=9), "out_of_stock"),
        (inventory_contracts.StockRanLow(sku=MUG, available=2, sequence=7), "out_of_stock"),
        (inventory_contracts.StockReplenished(sku=MUG, available=50, sequence=5), "out_of_stock"),
        (inventory_contracts.StockRanOut(sku=MUG, sequence=9), "out_of_stock"),
        (inventory_contracts.StockRanLow(sku=MUG, available=4, sequence=12), "low_stock"),
    ]
    for contract, availability in contracts:
        consume(contract)
        assert Product.objects.get(pk=MUG).availability == availability


def test_a_stock_level_of_a_sku_without_product_is_ignored(consume: PublishAll) -> None:
    consume(inventory_contracts.StockRanLow(sku=Sku("SECRET"), available=2, sequence=7))

    assert set(Delivery.objects.values_list("status", flat=True)) == {"done"}
    assert not Product.objects.exists()


@pytest.mark.parametrize(("price", "currency"), [("32990000", "VND"), ("24500000", "IDR"), ("1850000", "KRW")])
def test_a_laptop_can_be_sold_in_any_currency(db: None, price: str, currency: str) -> None:
    commands.list_product(Sku("LAPTOP"), "Laptop", "", Money(price, currency))
    assert Product.objects.get(pk="LAPTOP").price == Money(price, currency)


@pytest.mark.parametrize(
    ("price", "currency"), [("100000000001", "VND"), ("1000000000.01", "IDR"), ("100000000.001", "KWD")]
)
def test_the_highest_price_is_counted_in_the_smallest_unit(db: None, price: str, currency: str) -> None:
    with pytest.raises(PriceOutOfBounds):
        commands.list_product(Sku("LAPTOP"), "Laptop", "", Money(price, currency))
