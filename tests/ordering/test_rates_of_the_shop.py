"""The shop's tax rates and shipping rates are rows of its own tables, and orders are priced by them."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pytest_django import Settings

from config.verification import verify
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.domain.money import Money
from integration.history.entries import history_of
from integration.read_models.catch_up import catch_up_all
from ordering.commands import change_product, list_product, place_order
from ordering.commands.placing import NotShippedThere, TotalChanged, UnknownShippingOption
from ordering.commands.tax_rates import load_tax_rates
from ordering.models import MAX_WEIGHT_G, Order, Product, ShippingRate, TaxRate
from ordering.models.product import WeightOutOfBounds
from ordering.pricing.asked import Measure
from ordering.queries.shop import shop_for

pytestmark = pytest.mark.django_db

SINCE = date(2026, 1, 1)


def usd(amount: str) -> Money:
    return Money(amount, "USD")


def tax(percent: str, tax_class: str = "standard", country: str = "GB", since: date = SINCE) -> TaxRate:
    return TaxRate.objects.create(
        country=country, tax_class=tax_class, percent_thousandths=int(Decimal(percent) * 1_000), valid_from=since
    )


def shipping(option: str, price: int, countries: str = "", **more: Any) -> ShippingRate:
    return ShippingRate.objects.create(
        option=option, name=option.title(), countries=countries, currency="USD", price_minor=price, **more
    )


@pytest.fixture
def buy(shop: object, address: Address) -> Callable[..., Order]:
    """A function that orders two mugs and a lamp for 105 USD."""

    def order(**more: Any) -> Order:
        lines = [(Sku("MUG"), 2), (Sku("LAMP"), 1)]
        return place_order(BuyerId("B-1"), lines, address, PaymentMethodId("pm_card_visa"), **more)

    return order


# --- Orders are priced by the tables ---


def test_an_order_has_the_tax_and_shipping_of_the_tables(buy: Callable[..., Order], drain: Callable[..., int]) -> None:
    tax("20")
    tax("5", "reduced")
    shipping("post", 500)
    change_product(Sku("LAMP"), {"tax_class": "reduced"})
    order = buy()
    drain()
    catch_up_all()

    assert [(line.tax_rate, line.tax) for line in order.shown_lines] == [(20, usd("5.00")), (5, usd("4.00"))]
    assert order.shipping
    # 5.00 shared over 30.00 at 20 % and 84.00 at 5 % is 1.32 and 3.68, with 0.26 and 0.18 of tax.
    assert (order.shipping.tax, order.shipping.total) == (usd("0.44"), usd("5.44"))
    assert order.total == usd("119.44")
    assert [finding.offenders for finding in verify().values() if finding.offenders] == []


def test_a_rate_of_later_changes_no_order_that_is_placed(buy: Callable[..., Order]) -> None:
    tax("20")
    before = buy()
    tax("25", since=clock.now().date())
    after = buy()

    assert [Order.objects.get(pk=order.pk).total for order in (before, after)] == [usd("126.00"), usd("131.25")]


def test_a_rate_is_not_used_before_its_first_day(buy: Callable[..., Order]) -> None:
    tax("20", since=clock.now().date() + timedelta(days=1))

    assert buy().total == usd("105.00")


def test_prices_may_include_tax(buy: Callable[..., Order], settings: Settings) -> None:
    settings.PRICES_INCLUDE_TAX = True
    tax("20")
    order = buy()

    assert (order.total, order.tax, order.prices_include_tax) == (usd("105.00"), usd("17.50"), True)


@pytest.mark.parametrize(("rounding", "amount"), [("half_up", "2.63"), ("half_even", "2.62")])
def test_half_a_cent_of_tax_is_rounded_as_the_setting_says(
    buy: Callable[..., Order], settings: Settings, rounding: str, amount: str
) -> None:
    settings.TAX_ROUNDING = rounding
    tax("10.5")  # 2.625 of the mugs, 8.40 of the lamp

    assert buy().shown_lines[0].tax == usd(amount)


def test_the_chosen_shipping_option_is_charged(buy: Callable[..., Order]) -> None:
    shipping("post", 500)
    shipping("express", 1200)

    assert [buy(shipping_option=option).total for option in (None, "post", "express")] == [
        usd("110.00"),
        usd("110.00"),
        usd("117.00"),
    ]


def test_shipping_depends_on_the_weight_of_the_products(buy: Callable[..., Order]) -> None:
    shipping("post", 500, at_most=1_000)
    shipping("post", 900, at_least=1_001)
    change_product(Sku("MUG"), {"weight_g": 500})
    assert buy().total == usd("110.00")
    change_product(Sku("MUG"), {"weight_g": 501})

    assert buy().total == usd("114.00")


@pytest.mark.parametrize(
    ("option", "countries", "refusal", "pointer"),
    [
        ("drone", "GB", UnknownShippingOption, "/shipping_option"),
        (None, "FR DE", NotShippedThere, "/shipping_address/country"),
    ],
)
def test_shipping_that_is_not_offered_is_refused(
    buy: Callable[..., Order], option: str | None, countries: str, refusal: Any, pointer: str
) -> None:
    shipping("post", 500, countries)

    with pytest.raises(refusal) as refused:
        buy(shipping_option=option)

    assert refused.value.pointer == pointer
    assert not Order.objects.exists()


def test_shipping_rates_in_another_currency_are_not_offered(buy: Callable[..., Order]) -> None:
    ShippingRate.objects.create(option="post", name="Post", currency="EUR", price_minor=500)

    assert buy().total == usd("105.00")


def test_the_expected_total_is_with_tax_and_shipping(buy: Callable[..., Order]) -> None:
    tax("20")
    shipping("post", 500)

    with pytest.raises(TotalChanged, match=r"costs 132.00 USD, not 105.00 USD"):
        buy(expected_total=usd("105.00"))
    assert buy(expected_total=usd("132.00")).total == usd("132.00")


def test_both_tables_are_read_with_one_statement(statements: Callable[..., Any]) -> None:
    tax("20")
    tax("19", country="DE")
    shipping("post", 500, "GB DE", measure="subtotal", at_least=1, at_most=9, free_from_minor=10_000)
    with statements() as seen:
        shop = shop_for("USD", "GB")

    assert len(seen) == 1
    assert [(rate.country, rate.percent, rate.valid_from) for rate in shop.tax_rates] == [("GB", 20, SINCE)]
    [rate] = shop.shipping_rates
    assert (rate.countries, rate.measure, rate.at_least, rate.at_most) == ({"GB", "DE"}, Measure.SUBTOTAL, 1, 9)
    assert (rate.price, rate.free_from) == (usd("5.00"), usd("100.00"))


# --- The tables ---


@pytest.mark.parametrize(
    "row",
    [
        TaxRate(country="GB", tax_class="standard", percent_thousandths=100_001, valid_from=SINCE),
        ShippingRate(option="post", name="Post", currency="USD", price_minor=-1),
        ShippingRate(option="post", name="Post", currency="USD", price_minor=1, at_least=2, at_most=1),
    ],
)
def test_the_database_refuses_a_rate_that_makes_no_sense(row: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()


def test_european_rates_are_loaded_once() -> None:
    loaded = load_tax_rates(["DE", "LU"], SINCE)

    assert {(rate.country, rate.tax_class): rate.percent for rate in TaxRate.objects.all()} == {
        ("DE", "standard"): Decimal(19),
        ("DE", "reduced"): Decimal(7),
        ("LU", "standard"): Decimal(17),
        ("LU", "super_reduced"): Decimal(3),
        ("LU", "parking"): Decimal(14),
    }
    assert (loaded.added, loaded.without_reduced) == (5, ["LU"])
    assert load_tax_rates(["DE", "LU"], SINCE + timedelta(days=1)).added == 0


def test_a_changed_rate_is_added_and_the_older_one_stays() -> None:
    tax("16", country="DE")
    assert load_tax_rates(["DE"], SINCE + timedelta(days=1)).added == 2

    rates = TaxRate.objects.filter(country="DE", tax_class="standard").order_by("valid_from")
    assert [(rate.percent, rate.valid_from) for rate in rates] == [
        (16, SINCE),
        (19, SINCE + timedelta(days=1)),
    ]


def test_the_command_says_what_it_added_and_what_it_left_out() -> None:
    said = StringIO()
    call_command("load_tax_rates", "--countries", "DE", "FI", "--valid-from", "2026-01-01", stdout=said)

    assert said.getvalue().startswith("3 rates were added.\n")
    assert "FI" in said.getvalue()
    with pytest.raises(CommandError, match="there are no rates of ZZ"):
        call_command("load_tax_rates", "--countries", "ZZ")


# --- The terms of a product ---


def test_a_product_has_terms_for_tax_shipping_and_withdrawal() -> None:
    list_product(Sku("BOOK"), "Book", "", usd("10"), tax_class="reduced", weight_g=300, withdrawal_exempt=True)
    change_product(Sku("BOOK"), {"weight_g": 400})
    change_product(Sku("BOOK"), {"name": "A book"})

    book = Product.objects.get()
    assert (book.tax_class, book.weight_g, book.withdrawal_exempt, book.version) == ("reduced", 400, True, 4)
    names = history_of("ordering").objects.filter(stream_id="BOOK").order_by("version").values_list("name", flat=True)
    assert list(names) == [
        "ordering.product_listed",
        "ordering.product_terms_changed",
        "ordering.product_terms_changed",
        "ordering.product_changed",
    ]


def test_a_product_without_terms_is_taxed_as_standard_and_weighs_nothing() -> None:
    list_product(Sku("BOOK"), "Book", "", usd("10"))

    book = Product.objects.get()
    assert (book.tax_class, book.weight_g, book.withdrawal_exempt, book.version) == ("standard", 0, False, 1)


@pytest.mark.parametrize("weight", [-1, MAX_WEIGHT_G + 1])
def test_a_weight_out_of_bounds_is_refused(weight: int) -> None:
    with pytest.raises(WeightOutOfBounds):
        list_product(Sku("BOOK"), "Book", "", usd("10"), weight_g=weight)


def test_a_changed_term_changes_no_order_that_is_placed(buy: Callable[..., Order]) -> None:
    tax("20")
    number = OrderNumber(buy().number)
    change_product(Sku("MUG"), {"tax_class": "zero"})

    assert Order.objects.get(pk=number).tax == usd("21.00")
    assert buy().tax == usd("16.00")
