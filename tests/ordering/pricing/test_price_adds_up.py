"""The lines of an order add up to it exactly, and parts that are returned one after the other add up to what was paid.

`HYPOTHESIS_PROFILE=chaos` tries 2,000 examples of each.
"""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from integration.domain.money import Money
from ordering.pricing import BuyerTerms, Item, PricedOrder, ShippingRate, Shop, Voucher, price
from ordering.pricing.asked import VoucherKind
from tests.ordering.pricing.baskets import HERE, MOMENT, rates_of

CURRENCIES = ["JPY", "EUR", "KWD"]
RATES = ["0", "2.1", "5", "7.7", "19", "25.5", "33.333", "100"]


@st.composite
def orders(draw: st.DrawFn) -> PricedOrder:
    """An order with 1 to 8 lines at several tax rates, perhaps with shipping and up to three vouchers."""
    currency = draw(st.sampled_from(CURRENCIES))
    amounts = st.builds(Money.of_minor, st.integers(0, 10**7), st.just(currency))
    wanted = [
        Item(f"SKU-{i}", "", draw(st.integers(1, 40)), draw(amounts), f"rate {draw(st.sampled_from(RATES))}")
        for i in range(draw(st.integers(1, 8)))
    ]
    kinds = st.sampled_from(VoucherKind)
    vouchers = [
        Voucher(
            code=f"V{i}",
            name="",
            kind=draw(kinds),
            percent=draw(st.decimals(0, 100, places=2)),
            amount=draw(amounts),
            exclusive=draw(st.booleans()),
        )
        for i in range(draw(st.integers(0, 3)))
    ]
    shop = Shop(
        currency=currency,
        tax_rates=rates_of(wanted) if draw(st.booleans()) else (),
        shipping_rates=(ShippingRate(option="post", name="Post", price=draw(amounts)),) if draw(st.booleans()) else (),
        prices_include_tax=draw(st.booleans()),
        round_half_even=draw(st.booleans()),
    )
    return price(wanted, BuyerTerms(draw(st.integers(0, 100))), HERE, None, vouchers, MOMENT, shop)


@given(orders())
def test_the_lines_add_up_to_the_order(order: PricedOrder) -> None:
    zero = Money.zero(order.currency)
    on_top = zero if order.prices_include_tax else order.tax
    shipping = order.shipping

    assert order.total == order.subtotal - order.discount + order.shipping_price + on_top
    on_lines = Money.sum((line.discount for line in order.lines), order.currency)
    assert order.discount == on_lines + (shipping.discount if shipping else zero)
    tax_of_lines = Money.sum((line.tax for line in order.lines), order.currency)
    assert order.tax == tax_of_lines + (shipping.tax if shipping else zero)
    for line in order.lines:
        assert zero <= line.discount <= line.subtotal
        assert line.total == line.subtotal - line.discount + (zero if order.prices_include_tax else line.tax)
        assert zero <= line.tax <= line.total
        exact = line.reduced.amount * line.tax_rate / (100 + line.tax_rate * order.prices_include_tax)
        assert abs(line.tax.amount - exact) <= Decimal("0.5000001") * abs(Money.of_minor(1, order.currency).amount)


@given(orders(), st.data())
def test_returning_everything_in_parts_returns_what_was_paid(order: PricedOrder, data: st.DataObject) -> None:
    zero = Money.zero(order.currency)
    returned = tax = order.shipping.total if order.shipping else zero
    tax = order.shipping.tax if order.shipping else zero
    left = {line.sku: line.quantity for line in order.lines}
    by_sku = {line.sku: line for line in order.lines}
    while left:
        sku = data.draw(st.sampled_from(sorted(left)))
        line, units = by_sku[sku], data.draw(st.integers(1, left[sku]))
        before = line.quantity - left[sku]
        part = line.total.of_units(before, units, line.quantity)
        assert zero <= part <= line.total
        returned += part
        tax += line.tax.of_units(before, units, line.quantity)
        left[sku] -= units
        if not left[sku]:
            del left[sku]

    assert (returned, tax) == (order.total, order.tax)
