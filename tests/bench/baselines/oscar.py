"""Runs django-oscar's `OrderCreator.place_order` for baskets of 3 lines, which are filled before the clock starts."""

import os
import random
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.bench.baselines.oscar_settings")

import django

django.setup()

from django.contrib.sites.models import Site  # noqa: E402
from django.core.management import call_command  # noqa: E402
from oscar.core.loading import get_class, get_model  # noqa: E402

from tests.bench.processes import serve_calls  # noqa: E402

Basket, Product = get_model("basket", "Basket"), get_model("catalogue", "Product")
OrderCreator = get_class("order.utils", "OrderCreator")
Selector = get_class("partner.strategy", "Selector")
Free = get_class("shipping.methods", "Free")
TotalCalculator = get_class("checkout.calculators", "OrderTotalCalculator")
STOCK = 1_000_000

_filled: list[Any] = []


def set_up(skus: int) -> None:
    """Create the tables, and goods in stock."""
    call_command("migrate", verbosity=0)
    Site.objects.get_or_create(pk=1, defaults={"domain": "shop.example", "name": "shop"})
    kind = get_model("catalogue", "ProductClass").objects.create(name="goods")
    partner = get_model("partner", "Partner").objects.create(name="us")
    for i in range(skus):
        product = Product.objects.create(product_class=kind, title=f"BENCH-{i:04}", upc=f"BENCH-{i:04}")
        get_model("partner", "StockRecord").objects.create(
            product=product, partner=partner, partner_sku=product.upc, price="1.25", num_in_stock=STOCK
        )


def fill(orders: int) -> None:
    """Fill a basket for each order."""
    products = list(Product.objects.all())
    country, _ = get_model("address", "Country").objects.get_or_create(
        iso_3166_1_a2="GB", defaults={"printable_name": "United Kingdom", "is_shipping_country": True}
    )
    for _ in range(orders):
        basket = Basket.objects.create()
        basket.strategy = Selector().strategy()
        for product in random.sample(products, 3):
            basket.add_product(product, quantity=1)
        address = get_model("order", "ShippingAddress")(
            first_name="Ada", last_name="Lovelace", line1="12 St James's Square", line4="London", country=country
        )
        _filled.append((basket, address))


def place() -> int:
    """Place an order for every filled basket; returns the number of orders in the database."""
    shipping = Free()
    while _filled:
        basket, address = _filled.pop()
        address.save()
        charge = shipping.calculate(basket)
        total = TotalCalculator().calculate(basket, charge)
        OrderCreator().place_order(
            basket, total, shipping, charge, shipping_address=address, order_number=str(100_000 + basket.pk)
        )
    return get_model("order", "Order").objects.count()


def run(what: str, **how: Any) -> Any:
    """Call `set_up`, `fill` or `place`, as `what` says."""
    return {"set_up": set_up, "fill": fill, "place": place}[what](**how)


if __name__ == "__main__":
    serve_calls(run)
