"""Units that are cancelled, returned or lost are refunded once, and all of them together refund all that was paid."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import commands, events
from billing.models import Invoice, NotInvoiced
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from tests.billing.test_refunds_by_lines import ATLAS, LAMP, MUG, paid, refunds_of
from tests.histories import assert_is_its_history

NOTHING = Money.zero("USD")


def usd(minor: int) -> Money:
    return Money.of_minor(minor, "USD")


def test_what_comes_back_in_parts_refunds_what_was_paid_and_the_last_part_shipping() -> None:
    invoice = paid({MUG: (3, 1250), LAMP: (1, 8000)}, discount=115, shipping=499)

    assert invoice.reverse_units("C-1-1", {MUG: 1}, "cancelled") == usd(1238)
    assert invoice.reverse_units("R-1-1-1", {MUG: 1}, "returned") == usd(1237)
    assert invoice.reverse_units("R-1-1-1", {MUG: 1}, "returned") is None, "it counted before"
    assert invoice.reverse_units("R-1-1-2", {MUG: 1, LAMP: 1}, "returned") == usd(1238 + 7922 + 499)

    assert invoice.refund_owed == invoice.granted == invoice.paid
    assert [(line.units_back, line.units_refunded) for line in invoice.lines] == [(3, 3), (1, 1)]
    assert_is_its_history(invoice)


def test_a_fee_and_a_part_of_shipping_are_withheld() -> None:
    invoice = paid({MUG: (2, 1000)}, shipping=900)

    assert invoice.reverse_units("R-1-1-1", {MUG: 1}, "returned", usd(300)) == usd(700)
    assert invoice.reverse_units("R-1-1-2", {MUG: 1}, "returned", usd(5000), usd(400)) == usd(500)

    assert (invoice.withheld, invoice.refund_owed) == (usd(300 + 1000), usd(1200))
    assert [line.credited for line in invoice.lines] == [usd(700)]
    assert_is_its_history(invoice)


def test_units_that_an_operator_refunded_are_not_refunded_again() -> None:
    invoice = paid({MUG: (2, 1000)}, shipping=300)
    invoice.refund_lines({MUG: 1}, "scratched")

    assert invoice.reverse_units("R-1-1-1", {MUG: 1}, "returned") == usd(1000)
    assert invoice.reverse_units("R-1-1-2", {MUG: 1}, "returned") == usd(300), "only shipping is left"
    assert refunds_of(invoice) == [1000, 1000, 300]


def test_an_amount_that_an_operator_refunded_is_not_refunded_again() -> None:
    invoice = paid({MUG: (1, 1000)}, shipping=1000)
    invoice.refund_in_part(usd(500), "late")

    assert invoice.reverse_units("R-1-1-1", {MUG: 1}, "returned") == usd(1500)
    assert invoice.refund_owed == invoice.paid


def test_nothing_is_refunded_twice_once_all_is() -> None:
    invoice = paid({MUG: (1, 1000)})
    invoice.refund_in_part(usd(1000), "late")
    invoice.record_refund(invoice.last_owed.refund, usd(1000))
    assert invoice.status == "refunded"

    assert invoice.reverse_units("R-1-1-1", {MUG: 1}, "returned") == NOTHING
    assert refunds_of(invoice) == [1000]
    assert not [r for r in invoice.recorded_events[-1:] if not isinstance(r.event, events.InvoiceUnitsReversed)]


def test_an_order_that_cost_nothing_refunds_nothing() -> None:
    invoice = paid({MUG: (1, 0)}, discount=0)
    assert invoice.reverse_units("R-1-1-1", {MUG: 1}, "returned") == NOTHING


def test_what_was_not_invoiced_cannot_be_reversed() -> None:
    with pytest.raises(NotInvoiced):
        paid({MUG: (1, 1000)}).reverse_units("R-1-1-1", {ATLAS: 1}, "returned")


@pytest.mark.django_db
def test_an_invoice_that_is_not_there_yet_is_waited_for() -> None:
    with pytest.raises(NotYet):
        commands.refund_units(OrderNumber("R-1"), "C-1-1", {MUG: 1}, "cancelled")


quantities = st.integers(1, 7)


@st.composite
def invoices(draw: st.DrawFn) -> tuple[Invoice, Mapping[Sku, int]]:
    """A paid invoice, and the units of its lines."""
    units = {Sku(f"G{i}"): draw(quantities) for i in range(draw(st.integers(1, 4)))}
    lines = {sku: (quantity, draw(st.integers(0, 3333))) for sku, quantity in units.items()}
    subtotal = sum(quantity * price for quantity, price in lines.values())
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    rest = {"tax": draw(st.integers(0, 99)), "shipping": draw(st.integers(0, 999))}
    return paid(lines, discount=draw(st.integers(0, subtotal)), currency=currency, **rest), units


@given(invoices(), st.data())
def test_any_partition_refunds_exactly_what_was_paid(
    drawn: tuple[Invoice, Mapping[Sku, int]], data: st.DataObject
) -> None:
    invoice, left = drawn[0], dict(drawn[1])
    part = 0
    while left:
        part += 1
        chosen = data.draw(st.sets(st.sampled_from(sorted(left)), min_size=1))
        units = {sku: data.draw(st.integers(1, left[sku])) for sku in sorted(chosen)}
        if data.draw(st.booleans()) and invoice.paid > invoice.refund_owed:
            most = (invoice.paid - invoice.refund_owed).minor
            amount = Money.of_minor(data.draw(st.integers(1, most)), invoice.currency)
            if invoice.status == "paid":
                invoice.refund_in_part(amount, "late")
        invoice.reverse_units(f"R-1-1-{part}", units, "returned")
        left = {sku: quantity - units.get(sku, 0) for sku, quantity in left.items() if quantity > units.get(sku, 0)}

    assert invoice.refund_owed == invoice.paid
    assert sum(refunds_of(invoice)) == invoice.paid.minor
    assert_is_its_history(invoice)
