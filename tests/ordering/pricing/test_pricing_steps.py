"""Each step of pricing: which discounts apply and why others do not, which shipping is offered, which rate is due."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from integration.domain.money import CurrencyMismatch, Money
from ordering import pricing
from ordering.pricing import BuyerTerms, Destination, Item, PricedOrder, ShippingRate, Shop, TaxRate, Voucher, price
from ordering.pricing.asked import Measure, VoucherKind
from ordering.pricing.priced import ShippingProblem
from tests.ordering.pricing.baskets import HERE, MOMENT, items, priced, vouchers_of


def eur(amount: str | int) -> Money:
    return Money(Decimal(amount), "EUR")


def order_of(
    basket: str,
    *,
    discount: int = 0,
    to: Destination | None = HERE,
    option: str | None = None,
    vouchers: list[Voucher] | None = None,
    at: datetime = MOMENT,
    **shop: Any,
) -> PricedOrder:
    terms = Shop(currency="EUR", **shop)
    return price(items(basket), BuyerTerms(discount), to, option, vouchers or [], at, terms)


def reasons(order: PricedOrder) -> dict[str, str]:
    return {refused.code: refused.reason for refused in order.not_applied}


def applied(order: PricedOrder) -> dict[str, str]:
    return {discount.code: str(discount.amount.amount) for discount in order.discounts}


# --- Discounts ---


def test_a_shop_without_rates_and_options_adds_nothing_to_the_prices() -> None:
    order = order_of("2 × 10.00, 0.05")

    assert (order.subtotal, order.total, order.tax, order.shipping, order.taxes) == (
        eur("20.05"),
        eur("20.05"),
        eur(0),
        None,
        (),
    )
    assert reasons(order) == {"lifetime_spend": "the buyer has not spent enough yet"}


def test_a_discount_has_a_name_and_is_on_the_lines() -> None:
    order = order_of("43.00, 14.00, 23.00", discount=10)

    assert [(discount.code, discount.name) for discount in order.discounts] == [
        ("lifetime_spend", "Discount for loyal buyers")
    ]
    assert [line.discount for line in order.lines] == [eur("4.30"), eur("1.40"), eur("2.30")]


def test_each_discount_is_of_what_the_discounts_before_it_left() -> None:
    order = order_of("100.00", discount=10, vouchers=vouchers_of("20.00 + 50 %"))

    assert applied(order) == {"V1": "20.00", "V2": "40.00", "lifetime_spend": "4.00"}
    assert order.total == eur(36)


def test_no_discount_takes_more_than_is_left() -> None:
    order = order_of("10.00, 5.00", vouchers=vouchers_of("20.00 + 1.00"))

    assert (order.total, order.discount) == (eur(0), eur(15))
    assert reasons(order)["V2"] == "there is nothing left that it could reduce"


def exclusive(voucher: Voucher) -> Voucher:
    return msgspec.structs.replace(voucher, exclusive=True)


def test_an_exclusive_discount_allows_no_other() -> None:
    first, second = vouchers_of("5.00 + 1.00")
    order = order_of("10.00", discount=10, vouchers=[exclusive(first), second])

    assert applied(order) == {"V1": "5.00"}
    assert reasons(order) == {"V2": "it cannot be combined with V1", "lifetime_spend": "it cannot be combined with V1"}


def test_an_exclusive_discount_is_refused_after_another() -> None:
    first, second = vouchers_of("5.00 + 1.00")
    order = order_of("10.00", vouchers=[first, exclusive(second)])

    assert applied(order) == {"V1": "5.00"}
    assert reasons(order)["V2"] == "it cannot be combined with V1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"minimum": eur("10.01")}, "the goods must cost at least 10.01 EUR"),
        ({"minimum": Money(1, "USD")}, "it is in another currency"),
        ({"amount": Money(1, "USD")}, "it is in another currency"),
        ({"valid_from": MOMENT + timedelta(minutes=1)}, "it is valid from 2026-03-01 12:01 UTC on"),
        ({"valid_until": MOMENT}, "it was valid until 2026-03-01 12:00 UTC"),
        ({"refusal": "it is used up"}, "it is used up"),
    ],
)
def test_a_voucher_that_does_not_apply_says_why(changes: dict[str, Any], reason: str) -> None:
    [voucher] = vouchers_of("5.00")
    order = order_of("10.00", vouchers=[msgspec.structs.replace(voucher, **changes)])

    assert (order.total, reasons(order)["V1"]) == (eur(10), reason)


@pytest.mark.parametrize(
    "changes", [{"minimum": eur(10)}, {"valid_from": MOMENT}, {"valid_until": MOMENT + timedelta(minutes=1)}]
)
def test_a_voucher_applies_at_the_edge(changes: dict[str, Any]) -> None:
    [voucher] = vouchers_of("5.00")

    assert order_of("10.00", vouchers=[msgspec.structs.replace(voucher, **changes)]).total == eur(5)


def test_a_voucher_that_is_named_twice_applies_once() -> None:
    [voucher] = vouchers_of("1.00")
    order = order_of("10.00", vouchers=[voucher, voucher])

    assert (order.total, reasons(order)["V1"]) == (eur(9), "it is used in this order already")


# --- Shipping ---


def rate(option: str, amount: str, *countries: str, **more: Any) -> ShippingRate:
    return ShippingRate(option=option, name=option.title(), price=eur(amount), countries=frozenset(countries), **more)


POST = (
    rate("post", "5.00", "NL", at_most=1_000),
    rate("post", "9.00", "NL", at_least=1_001, at_most=5_000),
    rate("post", "20.00", at_most=5_000),
    rate("express", "12.00", "NL", measure=Measure.SUBTOTAL, at_least=1_000),
)


@pytest.mark.parametrize(
    ("basket", "to", "offers"),
    [
        ("2 × 4.00 500g", "NL", {"post": "5.00"}),
        ("2 × 5.00 500g", "NL", {"post": "5.00", "express": "12.00"}),
        ("3 × 5.00 500g", "NL", {"post": "9.00", "express": "12.00"}),
        ("3 × 5.00 500g", "FR", {"post": "20.00"}),
        ("5.00 5001g", "FR", {}),
    ],
)
def test_options_are_offered_by_country_and_weight_or_subtotal(basket: str, to: str, offers: dict[str, str]) -> None:
    order = order_of(basket, to=Destination(to), shipping_rates=POST)

    assert {offer.option: str(offer.price.amount) for offer in order.offers} == offers


def test_the_cheapest_option_is_chosen_unless_another_is_named() -> None:
    assert order_of("10.00", shipping_rates=POST).total == eur(15)
    assert order_of("10.00", option="express", shipping_rates=POST).total == eur(22)


@pytest.mark.parametrize(
    ("option", "to", "rates", "problem"),
    [
        ("drone", "NL", POST, ShippingProblem.UNKNOWN_OPTION),
        ("express", "FR", POST, ShippingProblem.UNKNOWN_OPTION),
        ("post", "NL", (), ShippingProblem.UNKNOWN_OPTION),
        (None, "US", (rate("post", "5.00", "NL"),), ShippingProblem.NOT_SHIPPED_THERE),
    ],
)
def test_an_option_that_is_not_offered_is_a_problem(
    option: str | None, to: str, rates: tuple[ShippingRate, ...], problem: ShippingProblem
) -> None:
    order = order_of("10.00", to=Destination(to), option=option, shipping_rates=rates)

    assert (order.shipping, order.shipping_problem) == (None, problem)


@pytest.mark.parametrize(("discount", "price"), [(0, "0.00"), (1, "5.00")])
def test_shipping_is_free_over_an_amount_after_discounts(discount: int, price: str) -> None:
    order = order_of("50.00", discount=discount, shipping_rates=(rate("post", "5.00", free_from=eur(50)),))

    assert order.shipping_price == eur(price)


def test_a_voucher_for_free_shipping_is_the_discount_of_shipping() -> None:
    order = order_of("10.00", vouchers=vouchers_of("free"), shipping_rates=(rate("post", "5.00"),))

    assert order.shipping
    assert (order.shipping.price, order.shipping.discount, order.shipping.total) == (eur(5), eur(5), eur(0))
    assert (applied(order), order.total) == ({"V1": "5.00"}, eur(10))


@pytest.mark.parametrize(
    ("rates", "reason"),
    [((), "nothing is charged for shipping"), ((rate("post", "0.00"),), "shipping costs nothing anyway")],
)
def test_a_voucher_for_free_shipping_does_not_apply_where_it_is_free(
    rates: tuple[ShippingRate, ...], reason: str
) -> None:
    order = order_of("10.00", vouchers=vouchers_of("free"), shipping_rates=rates)

    assert (applied(order), reasons(order)["V1"]) == ({}, reason)


# --- Tax ---

RATES = (
    TaxRate("ES", "standard", Decimal(21), date(2012, 9, 1)),
    TaxRate("ES", "standard", Decimal(18), date(2010, 7, 1)),
    TaxRate("ES", "reduced", Decimal(10), date(2012, 9, 1)),
    TaxRate("ES", "standard", Decimal(7), date(2020, 1, 1), region="Canarias"),
    TaxRate("FR", "standard", Decimal(20), date(2014, 1, 1)),
)


@pytest.mark.parametrize(
    ("to", "tax_class", "percent"),
    [
        (Destination("ES"), "standard", 21),
        (Destination("ES"), "reduced", 10),
        (Destination("ES"), "parking", 21),
        (Destination("ES"), "zero", 0),
        (Destination("ES", "Canarias"), "standard", 7),
        (Destination("ES", "Canarias"), "reduced", 7),
        (Destination("ES", "Madrid"), "reduced", 10),
        (Destination("FR"), "reduced", 20),
        (Destination("US"), "standard", 0),
    ],
)
def test_the_rate_is_of_the_country_or_region_and_the_class(to: Destination, tax_class: str, percent: int) -> None:
    item = Item("A", "A", 1, eur(100), tax_class)
    order = price([item], BuyerTerms(), to, None, [], MOMENT, Shop(currency="EUR", tax_rates=RATES))

    assert [line.tax_rate for line in order.lines] == [percent]
    assert order.tax == eur(percent)


@pytest.mark.parametrize(
    ("day", "percent"),
    [("2010-06-30", 0), ("2010-07-01", 18), ("2012-08-31", 18), ("2012-09-01", 21)],
)
def test_a_rate_is_valid_from_its_day_on(day: str, percent: int) -> None:
    moment = datetime.fromisoformat(day).replace(hour=23, tzinfo=UTC)
    item = Item("A", "A", 1, eur(100))

    assert price(
        [item], BuyerTerms(), Destination("ES"), None, [], moment, Shop(currency="EUR", tax_rates=RATES)
    ).tax == eur(percent)


def test_shipping_is_taxed_at_the_rates_of_the_lines_in_proportion_to_their_totals() -> None:
    order = priced("30.00 @20, 10.00 @0", "shipping 4.00; included")

    assert order.shipping
    assert order.shipping.tax == eur("0.50")  # 3.00 at 20 % inside, 1.00 at 0 %
    assert [(tax.rate, tax.amount) for tax in order.taxes] == [(20, eur("5.50"))]


def test_the_shown_price_is_the_same_for_every_destination_if_it_includes_tax() -> None:
    totals = {
        order_of("99.99", to=Destination(to), tax_rates=RATES, prices_include_tax=True).total
        for to in ("ES", "FR", "US")
    }
    assert totals == {eur("99.99")}


def test_nothing_is_taxed_or_shipped_before_the_destination_is_known() -> None:
    order = order_of("10.00", to=None, tax_rates=RATES, shipping_rates=POST)

    assert (order.total, order.shipping, order.shipping_problem) == (eur(10), None, None)


def test_free_lines_share_what_is_charged_for_shipping() -> None:
    order = priced("0.00 @20, 0.00 @0", "shipping 5.00")

    assert order.shipping
    assert (order.shipping.tax, order.total) == (eur("0.50"), eur("5.50"))


def test_a_price_in_another_currency_is_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        price([Item("A", "A", 1, Money(1, "USD"))], BuyerTerms(), HERE, None, [], MOMENT, Shop(currency="EUR"))


# --- Steps ---


def test_a_step_is_replaced_by_naming_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def five_off(order: PricedOrder, asked: pricing.Asked, shop: Shop) -> PricedOrder:
        [line] = order.lines
        discount = pricing.Discount("five", "Five off", eur(5))
        return msgspec.structs.replace(order, lines=(line.less(eur(5)),), discounts=(discount,))

    lines, _, *rest = pricing.STEPS
    monkeypatch.setattr(pricing, "STEPS", (lines, five_off, *rest))

    assert applied(order_of("10.00", discount=10)) == {"five": "5.00"}


@pytest.mark.parametrize("amount", ["-0.01", "10.01"])
def test_a_line_is_never_reduced_below_zero(amount: str) -> None:
    [line] = order_of("10.00").lines

    with pytest.raises(ValueError, match="is not within"):
        line.less(eur(amount))


@pytest.mark.parametrize("kind", list(VoucherKind))
def test_a_voucher_without_a_value_takes_nothing_off(kind: VoucherKind) -> None:
    order = order_of("10.00", vouchers=[Voucher(code="V1", name="", kind=kind)])

    assert (order.total, "V1" in reasons(order)) == (eur(10), True)
