"""Refunds of units and of amounts: whatever the sequence, refunding everything refunds exactly what was paid."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.models import Invoice, MoreThanIsLeft, NotInvoiced, payment_of
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from tests.billing_invoices import ATLAS, LAMP, MUG, ORDER, paid, refunds_of
from tests.histories import assert_is_its_history


def test_the_lines_share_the_discount_and_add_up_to_the_total() -> None:
    invoice = paid({MUG: (3, 1250), LAMP: (1, 8000)}, discount=115)

    assert {sku: total.minor for sku, total in invoice.line_totals().items()} == {MUG: 3713, LAMP: 7922}
    assert sum(total.minor for total in invoice.line_totals().values()) == invoice.total.minor


def test_units_are_refunded_with_their_share_of_the_discount() -> None:
    invoice = paid({MUG: (3, 1250), LAMP: (1, 8000)}, discount=115)

    invoice.refund_lines({MUG: 2, LAMP: 1}, "broken")
    invoice.refund_lines({MUG: 1}, "broken")

    assert refunds_of(invoice) == [2475 + 7922, 1238]
    assert invoice.refund_owed == invoice.granted == invoice.paid
    assert [(line.units_refunded, line.credited.minor) for line in invoice.lines] == [(3, 3713), (1, 7922)]


def test_an_amount_is_shared_out_over_what_remains_of_the_lines() -> None:
    invoice = paid({MUG: (2, 1000), LAMP: (1, 6000)})
    invoice.refund_lines({MUG: 1}, "broken")

    invoice.refund_in_part(Money("7", "USD"), "late")

    assert [line.credited.minor for line in invoice.lines] == [1100, 600]
    invoice.refund_lines({MUG: 1, LAMP: 1}, "broken")
    assert refunds_of(invoice) == [1000, 700, 900 + 5400]


@pytest.mark.parametrize("wanted", [{MUG: 3}, {MUG: 2, LAMP: 2}, {MUG: 0}, {MUG: -1}])
def test_no_more_units_are_refunded_than_are_left(wanted: dict[Sku, int]) -> None:
    invoice = paid({MUG: (3, 1250), LAMP: (1, 8000)})
    invoice.refund_lines({MUG: 1}, "broken")
    before = invoice.version

    with pytest.raises(MoreThanIsLeft):
        invoice.refund_lines(wanted, "broken")

    assert invoice.version == before


def test_units_whose_money_was_refunded_before_bring_nothing() -> None:
    invoice = paid({MUG: (2, 1000)})
    invoice.refund_in_part(Money("20", "USD"), "late")

    with pytest.raises(MoreThanIsLeft):
        invoice.refund_lines({MUG: 1}, "broken")


def test_a_line_that_was_not_invoiced_is_named() -> None:
    invoice = paid({MUG: (3, 1250)})

    with pytest.raises(NotInvoiced) as refusal:
        invoice.refund_lines({MUG: 1, ATLAS: 1}, "broken")

    assert (refusal.value.pointer, refusal.value.detail) == ("/lines", "the invoice has no line of ATLAS")


def test_what_older_code_refunded_is_on_no_line_and_caps_what_is_left() -> None:
    """Older code recorded no lines: then the last units pay what is left of the payment."""
    invoice = paid({MUG: (2, 1000)})
    invoice.owe_refund(Money("15", "USD"), payment_of(ORDER), "older code")

    invoice.refund_lines({MUG: 1}, "broken")

    assert refunds_of(invoice) == [1500, 500]
    with pytest.raises(MoreThanIsLeft):
        invoice.refund_lines({MUG: 1}, "broken")


def test_units_are_refunded_with_their_tax_and_without_shipping() -> None:
    invoice = paid({MUG: (3, 1000)}, tax=250, shipping=500)

    invoice.refund_lines({MUG: 1}, "broken")
    invoice.refund_lines({MUG: 2}, "broken")

    assert refunds_of(invoice) == [1083, 2167]
    assert invoice.paid - invoice.refund_owed == Money("5", "USD")


def test_an_amount_is_shared_with_shipping() -> None:
    invoice = paid({MUG: (1, 1000)}, shipping=1000)

    for _ in range(2):
        invoice.refund_in_part(Money("5", "USD"), "late")

    assert [line.credited.minor for line in invoice.lines] == [500]
    invoice.refund_lines({MUG: 1}, "broken")
    invoice.refund_in_part(Money("5", "USD"), "never came")
    assert refunds_of(invoice) == [500, 500, 500, 500]


@st.composite
def invoices(draw: st.DrawFn) -> Invoice:
    currency = draw(st.sampled_from(["JPY", "USD", "KWD"]))
    prices = draw(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 20_000)), min_size=1, max_size=5))
    lines = {Sku(f"SKU-{n}"): line for n, line in enumerate(prices)}
    subtotal = sum(quantity * price for quantity, price in prices)
    discount = draw(st.one_of(st.just(0), st.integers(0, max(0, subtotal - 1))))
    tax, shipping = draw(st.sampled_from([0, 0, 137])), draw(st.sampled_from([0, 0, 495]))
    return paid(lines, discount, currency, tax, shipping)


@given(invoices(), st.data())
def test_any_sequence_that_refunds_everything_refunds_what_was_paid(invoice: Invoice, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(0, 8))):
        left = invoice.paid - invoice.refund_owed
        try:
            if data.draw(st.booleans()):
                amount = data.draw(st.integers(1, max(1, left.minor)))
                invoice.refund_in_part(Money.of_minor(amount, invoice.currency), "late")
            else:
                wanted = {
                    Sku(line.sku): data.draw(st.integers(1, line.quantity - line.units_refunded))
                    for line in invoice.lines
                    if line.units_refunded < line.quantity and data.draw(st.booleans())
                }
                invoice.refund_lines(wanted, "broken")
        except MoreThanIsLeft:
            pass
        assert invoice.refund_owed <= invoice.paid
        totals = invoice.line_totals()
        assert all(Money.zero(invoice.currency) <= line.credited <= totals[Sku(line.sku)] for line in invoice.lines)

    rest = {
        Sku(line.sku): line.quantity - line.units_refunded
        for line in invoice.lines
        if line.units_refunded < line.quantity
    }
    with suppress(MoreThanIsLeft):  # for units whose money was refunded before
        invoice.refund_lines(rest, "broken")
    if invoice.refund_owed < invoice.paid:  # shipping
        assert invoice.paid - invoice.refund_owed <= invoice.shipping
        invoice.refund_in_part(invoice.paid - invoice.refund_owed, "never came")

    assert sum(refunds_of(invoice)) == invoice.paid.minor
    assert all(amount > 0 for amount in refunds_of(invoice))
    assert {line.sku: line.credited for line in invoice.lines} == invoice.line_totals()
    assert_is_its_history(invoice)
