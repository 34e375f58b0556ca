"""The lowest price in the 30 days before the current reduction of a product."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from integration.domain import clock
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from ordering.commands import change_product, list_product
from ordering.queries.lowest_prices import Price, lowest_before_reduction

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)


def prices(*changes: tuple[int, str | None], currency: str = "EUR") -> list[Price]:
    """The prices of a product by the day from which each is valid; None while it is not on sale."""
    return [Price(DAY_0 + timedelta(days=day), Money(price, currency) if price else None) for day, price in changes]


@pytest.mark.parametrize(
    ("changes", "lowest"),
    [
        ([], None),
        ([(0, "100")], None),
        ([(0, "100"), (50, "120")], None),
        ([(0, "100"), (50, "80")], "100"),
        # The scenarios of a reduction after a shorter one: the lowest price of the 30 days counts, not the last one.
        ([(0, "100"), (40, "70"), (45, "90"), (60, "80")], "70"),
        ([(0, "100"), (20, "70"), (25, "90"), (60, "80")], "90"),
        ([(0, "70"), (30, "100"), (60, "90")], "100"),
        ([(0, "70"), (31, "100"), (60, "90")], "70"),
        ([(0, "100"), (50, "80"), (55, "60")], "80"),
        ([(0, "100"), (50, "80"), (60, "90")], None),
        ([(0, "100"), (50, "80"), (60, "80")], "100"),
        ([(0, "100"), (5, "80")], "100"),
        # Not on sale.
        ([(0, "100"), (50, None), (60, "80")], "100"),
        ([(0, "100"), (5, None), (60, "80")], None),
        ([(0, "100"), (50, "80"), (60, None)], None),
        ([(0, "100"), (50, "80"), (60, None), (70, "80")], None),
    ],
)
def test_the_lowest_price_of_the_30_days_before_the_reduction(
    changes: list[tuple[int, str | None]], lowest: str | None
) -> None:
    assert lowest_before_reduction(prices(*changes)) == (Money(lowest, "EUR") if lowest else None)


def test_a_free_product_and_another_currency() -> None:
    free = [Price(DAY_0, Money("5", "EUR")), Price(DAY_0 + timedelta(days=1), Money("0", "EUR"))]
    assert lowest_before_reduction(free) == Money("5", "EUR")
    back = [
        *free,
        Price(DAY_0 + timedelta(days=2), Money("4", "EUR")),
        Price(DAY_0 + timedelta(days=3), Money("3", "EUR")),
    ]
    assert lowest_before_reduction(back) == Money("0", "EUR")
    moved = [*prices((0, "100")), *prices((9, "80"), currency="USD")]
    assert lowest_before_reduction(moved) is None


@pytest.mark.django_db
def test_products_show_it_in_one_query(statements: Callable[[], Any]) -> None:
    client = APIClient()
    for n in range(6):
        list_product(Sku(f"MUG-{n}"), "Mug", "", Money("10", "USD"))
    with clock.moved(timedelta(days=3)):
        change_product(Sku("MUG-1"), {"price": Money("8", "USD")})
        change_product(Sku("MUG-2"), {"name": "Cup"})
    with clock.moved(timedelta(days=5)):
        change_product(Sku("MUG-1"), {"name": "Jar", "weight_g": 5})
        with statements() as six:
            listed = client.get("/api/v1/products").json()["results"]
        with statements() as two:
            client.get("/api/v1/products?page_size=2")
        one = client.get("/api/v1/products/MUG-1").json()
    assert len(six) == len(two)
    assert {product["sku"]: product["lowest_price_30d"] for product in listed} == {
        **{f"MUG-{n}": None for n in range(6)},
        "MUG-1": {"amount": "10.00", "currency": "USD"},
    }
    assert one["lowest_price_30d"] == {"amount": "10.00", "currency": "USD"}
