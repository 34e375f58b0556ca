"""What others publish about discounts, tax and refunds: the same baskets cost the same here.

Only figures are transcribed. Sources:

* Sylius: `features/taxation/applying_taxes/` and `ProportionalIntegerDistributorSpec`, github.com/Sylius/Sylius.
* Vendure: the specs of order-calculator, order.entity and prorate, github.com/vendure-ecommerce/vendure.
* Stripe: docs.stripe.com/tax/invoicing/refunds.
* Shopify: help.shopify.com/en/manual/taxes/include-exclude-taxes, and community.shopify.com, topics 26296 and 285902.
* Zuora: docs.zuora.com, "Rounding rule for inclusive tax mode".
* UniBee: docs.unibee.dev/documentation/invoices/invoice-computation.
* WooCommerce: the tax of 23 % for each line, gist.github.com/webdados/139079c9e654ed2d8418ed500bdcc778.

Left out are figures of systems that round tax for each unit or once for the whole order.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

import pytest

from integration.domain.money import Money
from ordering.pricing import BuyerTerms, Shop, TaxRate, price
from tests.ordering.pricing.baskets import HERE, items, priced


class Row(NamedTuple):
    """A basket and what it costs; `how` is as `priced` takes it."""

    source: str
    basket: str
    how: str
    tax: str
    total: str


# fmt: off
ORDERS = [
    # Tax on top of the price
    Row("Sylius: same rate 1",            "100.00 @23",                   "",                       "23.00", "123.00"),
    Row("Sylius: same rate 2",            "3 × 100.00 @23",               "",                       "69.00", "369.00"),
    Row("Sylius: same rate 3",            "3 × 100.00 @23, 2 × 30.00 @23", "",                      "82.80", "442.80"),
    Row("Sylius: same rate 4",            "2 × 30.00 @23",                "",                       "13.80", "73.80"),
    Row("Sylius: same rate 5",            "100.00 @23, 2 × 30.00 @23",    "",                       "36.80", "196.80"),
    Row("Sylius: different rates 1",      "100.00 @23, 50.00 @5",         "",                       "25.50", "175.50"),
    Row("Sylius: different rates 2",      "3 × 100.00 @23, 4 × 50.00 @5", "",                       "79.00", "579.00"),
    Row("Sylius: rounded up",             "45.95 @10",                    "",                       "4.60",  "50.55"),
    Row("Sylius: rounded down",           "45.94 @10",                    "",                       "4.59",  "50.53"),
    Row("Sylius: ten of them",            "10 × 10.10 @23",               "",                       "23.23", "124.23"),
    Row("Vendure: single line",           "1.23 @20",                     "",                       "0.25",  "1.48"),
    Row("Vendure: one rate",              "2 × 3.00 @5, 10.00 @5",        "",                       "0.80",  "16.80"),
    Row("Vendure: two rates",             "2 × 3.00 @5, 10.00 @7.5",      "",                       "1.05",  "17.05"),
    Row("Vendure: zero rate",             "2 × 3.00 @0",                  "",                       "0.00",  "6.00"),
    Row("Shopify: Maya",                  "100.00 @10",                   "",                       "10.00", "110.00"),
    Row("Stripe: invoice, exclusive",     "60.00 @25, 40.00 @25",         "",                       "25.00", "125.00"),
    # Tax inside the price
    Row("Sylius: included",               "100.00 @23",                   "included",               "18.70", "100.00"),
    Row("Shopify: Gabriel",               "100.00 @10",                   "included",               "9.09",  "100.00"),
    Row("Shopify: a pound at 20 %",       "1.00 @20",                     "included",               "0.17",  "1.00"),
    Row("Zuora: rounding the tax",        "2.99 @4",                      "included",               "0.12",  "2.99"),
    Row("Stripe: invoice, inclusive",     "60.00 @25, 40.00 @25",         "included",               "20.00", "100.00"),
    # Discounts reduce the base
    Row("Sylius: one mug up",             "56.05 @10",                    "off 10.10",              "4.60",  "50.55"),
    Row("Sylius: one mug down",           "56.04 @10",                    "off 10.10",              "4.59",  "50.53"),
    Row("Sylius: two rates, one off",     "2 × 10.00 @23, 56.04 @10",     "off 10.10",              "8.85",  "74.79"),
    Row("Sylius: same rate, two off",     "2 × 56.05 @10, 56.04 @10",     "off 10.10 + 10.10",      "14.79", "162.73"),
    Row("Sylius: two rates, two off",     "56.05 @10, 10.00 @23",         "off 10.10 + 5.00",       "6.09",  "57.04"),
    Row("Sylius: included, up",           "56.95 @10",                    "off 10.00; included",    "4.27",  "46.95"),
    Row("Sylius: included, down",         "56.90 @10",                    "off 10.00; included",    "4.26",  "46.90"),
    Row("Sylius: included, two rates",    "2 × 10.00 @23, 56.90 @10",     "off 10.00; included",    "7.75",  "66.90"),
    Row("Sylius: included, same rate",  "2 × 56.90 @10, 56.95 @10", "off 10.00 + 10.00; included", "13.70", "150.75"),
    Row("Sylius: included, two off",    "56.95 @10, 10.00 @23",     "off 10.00 + 5.00; included", "5.47", "51.95"),
    Row("Vendure: prorated, 5 %",         "2 × 3.00 @5, 10.00 @5",        "off 1.60",               "0.72",  "15.12"),
    Row("Vendure: prorated, 7.5 %",       "2 × 3.00 @7.5, 10.00 @7.5",    "off 1.60",               "1.09",  "15.49"),
    Row("Vendure: half of an odd price",  "83.33 @20",                    "off 50 %",               "8.33",  "50.00"),
    Row("Vendure: fixed price",           "2 × 5.00 @20",                 "off 5.80",               "0.84",  "5.04"),
    Row("Vendure: fixed price, included", "2 × 5.00 @20",                 "off 5.80; included",     "0.70",  "4.20"),
    Row("Vendure: half",                  "1.00 @20",                     "off 50 %",               "0.10",  "0.60"),
    Row("Vendure: half, included",        "1.00 @20",                     "off 50 %; included",     "0.08",  "0.50"),
    Row("Vendure: half, zero rate",       "1.00 @0",                      "off 50 %; included",     "0.00",  "0.50"),
    Row("Vendure: five off, two rates",   "5.00 @20, 5.00 @0",            "off 5.00; included",     "0.42",  "5.00"),
    Row("UniBee: half to even",           "29.00 @5",                     "off 50 %; half even",    "0.72",  "15.22"),
    # Shipping
    Row("Vendure: shipping",              "1.00 @20",                     "shipping 5.00",          "1.20",  "7.20"),
    Row("Vendure: shipping, included",    "1.00 @20",                     "shipping 5.00; included", "1.00", "6.00"),
    Row("Vendure: free shipping",         "1.00 @20",                     "off free; shipping 5.00", "0.20", "1.20"),
    Row("WooCommerce: 23 % of each line", "68.24 @23",                    "shipping 4.73",          "16.79", "89.76"),
]

SHARES = [
    # source                           what    over                        gives
    ("Vendure: single weight",         "300",  "123",                      "300"),
    ("Vendure, Sylius: even",          "300",  "4000 2000 2000",           "150 75 75"),
    ("Vendure, Sylius: negative",      "-300", "4000 2000 2000",           "-150 -75 -75"),
    ("Vendure: odd",                   "299",  "4300 1400 2300",           "161 52 86"),
    ("Sylius: odd, negative",          "-299", "4300 1400 2300",           "-161 -52 -86"),
    ("Vendure: equal weights",         "299",  "1000 1000 1000",           "100 100 99"),
    ("Vendure: many weights",          "95",   "10 20 10 30 50 20 10 40",  "5 10 5 15 25 10 5 20"),
    ("Vendure: many weights, odd",     "93",   "10 20 10 30 50 20 10 40",  "5 10 5 15 24 10 5 19"),
    ("Vendure: one weight is zero",    "40",   "10 0",                     "40 0"),
    ("Vendure: all weights are zero",  "10",   "0 0",                      "5 5"),
    ("Vendure: nothing over nothing",  "0",    "0 0",                      "0 0"),
    ("odd, all weights are zero",      "7",    "0 0 0",                    "3 2 2"),
    ("Vendure: equal, negative",       "-20",  "100 100",                  "-10 -10"),
    ("Shopify: 50 off 50 and 100",     "5000", "5000 10000",               "1667 3333"),
    ("Stripe: refund, exclusive",      "-2500","7500 5000",                "-1500 -1000"),
    ("Stripe: its tax",                "-500", "1500 1000",                "-300 -200"),
    ("Stripe: refund, inclusive",      "-2000","6000 4000",                "-1200 -800"),
    ("Stripe: its tax, inclusive",     "-400", "1200 800",                 "-240 -160"),
]
# fmt: on


@pytest.mark.parametrize("row", ORDERS, ids=lambda row: row.source)
def test_a_basket_costs_what_its_source_says(row: Row) -> None:
    order = priced(row.basket, row.how)

    assert (order.tax, order.total) == (Money(row.tax, "EUR"), Money(row.total, "EUR"))


@pytest.mark.parametrize(("source", "what", "over", "gives"), SHARES, ids=[row[0] for row in SHARES])
def test_an_amount_is_shared_out_as_its_source_says(source: str, what: str, over: str, gives: str) -> None:
    parts = Money.of_minor(int(what), "EUR").allocate([int(weight) for weight in over.split()])

    assert [part.minor for part in parts] == [int(part) for part in gives.split()]


@pytest.mark.parametrize(("half_up", "tax"), [(True, "0.11"), (False, "0.10")])
def test_half_a_cent_of_tax_is_rounded_up_or_to_even(half_up: bool, tax: str) -> None:
    assert Money("0.50", "EUR").percent(21, half_up=half_up) == Money(tax, "EUR")
    assert priced("0.50 @21", "" if half_up else "half even").tax == Money(tax, "EUR")


@pytest.mark.parametrize(
    ("day", "total"), [(datetime(2022, 11, 1, tzinfo=UTC), "123"), (datetime(2023, 2, 2, tzinfo=UTC), "115")]
)
def test_the_rate_is_that_of_the_day(day: datetime, total: str) -> None:
    """Sylius: `applying_correct_taxes_on_visitor_cart_for_specific_date.feature`."""
    rates = (
        TaxRate(HERE.country, "standard", Decimal(23), date(2022, 1, 1)),
        TaxRate(HERE.country, "standard", Decimal(15), date(2023, 1, 1)),
    )
    order = price(items("100.00"), BuyerTerms(), HERE, None, [], day, Shop(currency="EUR", tax_rates=rates))

    assert order.total == Money(total, "EUR")
