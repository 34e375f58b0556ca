"""Units that an order no longer has are refunded: whatever the sequence, refunding everything refunds what was paid.

This is tried with 2,000 orders, in currencies with 0, 2 and 3 decimals, with tax on top of the prices and inside.
"""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.models import Invoice
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from tests.billing_invoices import LAMP, MUG, paid, refunds_of
from tests.histories import assert_is_its_history


def test_cancelled_units_are_refunded_once() -> None:
    invoice = paid({MUG: (3, 1250), LAMP: (1, 8000)}, discount=115, shipping=500)

    for cause in ("C-1-1", "C-1-1", "C-1-2"):
        invoice.refund_units(cause, {MUG: 1}, "by_buyer")

    assert refunds_of(invoice) == [1238, 1237]
    assert [(line.units_gone, line.units_refunded) for line in invoice.lines] == [(2, 2), (0, 0)]
    assert invoice.granted == invoice.refund_owed


def test_shipping_is_refunded_once_nothing_is_left_of_the_order() -> None:
    invoice = paid({MUG: (2, 1000), LAMP: (1, 6000)}, shipping=500)

    invoice.refund_units("C-1-1", {MUG: 2}, "by_buyer")
    invoice.refund_units("R-1-1-1", {LAMP: 1}, "returned")

    assert refunds_of(invoice) == [2000, 6500]
    assert invoice.refund_owed == invoice.paid


def test_shipping_can_be_refunded_before() -> None:
    invoice = paid({MUG: (2, 1000)}, shipping=500)

    invoice.refund_units("S-1-1", {MUG: 1}, "lost", shipping_too=True)
    invoice.refund_units("C-1-1", {MUG: 1}, "by_buyer")

    assert refunds_of(invoice) == [1500, 1000]


def test_what_the_shop_keeps_is_not_refunded_later() -> None:
    invoice = paid({MUG: (2, 1000), LAMP: (1, 6000)}, shipping=500)

    invoice.refund_units("R-1-1-1", {MUG: 1, LAMP: 1}, "returned", less=Money("7", "USD"))
    invoice.refund_units("C-1-1", {MUG: 1}, "by_buyer")

    assert refunds_of(invoice) == [6300, 1500]
    assert (invoice.withheld, invoice.paid - invoice.refund_owed) == (Money("7", "USD"), Money("7", "USD"))
    assert [line.credited.minor for line in invoice.lines] == [1900, 5400]


def test_the_shop_keeps_at_most_what_the_units_cost() -> None:
    invoice = paid({MUG: (2, 1000)}, shipping=500)

    invoice.refund_units("R-1-1-1", {MUG: 2}, "returned", less=Money("99", "USD"))

    assert refunds_of(invoice) == [500]
    assert invoice.withheld == Money("20", "USD")


def test_units_that_an_operator_refunded_are_not_refunded_again() -> None:
    invoice = paid({MUG: (2, 1000), LAMP: (1, 6000)}, shipping=500)
    invoice.refund_lines({MUG: 2}, "scratched")

    invoice.refund_units("C-1-1", {MUG: 1}, "by_buyer")

    assert refunds_of(invoice) == [2000]
    assert [(line.units_gone, line.units_refunded) for line in invoice.lines] == [(1, 2), (0, 0)]


def test_a_unit_that_was_refunded_and_comes_back_is_not_refunded_again() -> None:
    invoice = paid({MUG: (3, 1000)}, shipping=500)
    invoice.refund_lines({MUG: 1}, "scratched")

    returned = [invoice.refund_units(f"R-1-1-{n}", {MUG: 1}, "returned") for n in (1, 2)]
    invoice.refund_lines({MUG: 1}, "the last one, too")
    lost = invoice.refund_units("S-1-1", {MUG: 1}, "lost")

    assert [amount.minor for amount in (*returned, lost) if amount is not None] == [0, 1000, 500]
    assert refunds_of(invoice) == [1000, 1000, 1000, 500]
    assert [(line.units_gone, line.units_refunded) for line in invoice.lines] == [(3, 3)]


@given(st.integers(1, 9), st.integers(0, 999), st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=8))
def test_each_unit_is_refunded_at_most_once(quantity: int, price: int, steps: list[tuple[bool, int]]) -> None:
    invoice = paid({MUG: (quantity, price), LAMP: (1, 6000)}, discount=min(quantity * price, 7))
    line, total = invoice.lines[0], invoice.line_totals()[MUG]
    gone = refunded = 0
    for n, (is_granted, units) in enumerate(steps):
        if is_granted:
            if units <= quantity - refunded and total.of_units(refunded, units, quantity):
                invoice.refund_lines({MUG: units}, "scratched")
                refunded += units
        else:
            units = min(units, quantity - gone)
            invoice.refund_units(f"R-1-1-{n}", {MUG: units}, "returned")
            gone += units
            refunded = max(refunded, gone)
        assert (line.units_gone, line.units_refunded) == (gone, refunded)
        assert line.credited == invoice.refund_owed == total.of_units(0, refunded, quantity)


def test_shipping_is_not_refunded_while_refunded_units_are_with_the_buyer() -> None:
    invoice = paid({MUG: (1, 1000), LAMP: (1, 6000)}, shipping=500)
    invoice.refund_lines({MUG: 1}, "scratched")

    invoice.refund_units("C-1-1", {LAMP: 1}, "by_buyer")

    assert refunds_of(invoice) == [1000, 6000]


def test_nothing_is_refunded_after_all_was_refunded() -> None:
    invoice = paid({MUG: (1, 1000), LAMP: (1, 6000)}, shipping=500)
    invoice.void("by_buyer")

    invoice.refund_units("C-1-1", {LAMP: 1}, "by_buyer")

    assert refunds_of(invoice) == [7500]
    assert [line.units_gone for line in invoice.lines] == [0, 1]


def test_a_withdrawal_from_a_whole_order_keeps_the_surcharge_for_express_shipping() -> None:
    invoice, poor = paid({MUG: (2, 1000)}, shipping=500), paid({MUG: (2, 1000)}, shipping=100)

    for _ in range(2):
        invoice.void("by_buyer", Money("3", "USD"))
        poor.void("by_buyer", Money("3", "USD"))

    assert (refunds_of(invoice), invoice.withheld) == ([2200], Money("3", "USD"))
    assert (refunds_of(poor), poor.withheld) == ([2000], Money("1", "USD"))
    assert_is_its_history(invoice)


def test_an_order_that_cost_nothing_loses_units() -> None:
    invoice = paid({MUG: (2, 0)})

    invoice.refund_units("C-1-1", {MUG: 1}, "by_buyer")

    assert refunds_of(invoice) == []
    assert [(line.units_gone, line.units_refunded) for line in invoice.lines] == [(1, 1)]


@st.composite
def orders(draw: st.DrawFn) -> tuple[Invoice, dict[Sku, int]]:
    """A paid invoice, and the units of each SKU."""
    currency = draw(st.sampled_from(["JPY", "USD", "KWD"]))
    lines = draw(
        st.dictionaries(
            st.sampled_from([Sku(f"SKU-{n}") for n in range(6)]),
            st.tuples(st.integers(1, 9), st.integers(0, 9_999)),
            min_size=1,
        )
    )
    subtotal = sum(quantity * price for quantity, price in lines.values())
    rate = draw(st.sampled_from([Decimal(0), Decimal(7), Decimal("8.875"), Decimal(19), Decimal("25.5")]))
    inside = draw(st.booleans())
    invoice = paid(
        lines,
        discount=draw(st.integers(0, subtotal)),
        currency=currency,
        rate=Decimal(0) if inside else rate,
        shipping=draw(st.integers(0, 2_000)),
    )
    return invoice, {sku: quantity for sku, (quantity, _) in lines.items()}


@settings(max_examples=max(300, settings.default.max_examples), deadline=None)  # 2,000 in the profile chaos
@given(orders(), st.data())
def test_any_partition_of_an_order_refunds_exactly_what_was_paid(
    order: tuple[Invoice, dict[Sku, int]], data: st.DataObject
) -> None:
    invoice, left = order
    for step in range(1, 4):
        owed, rest = invoice.refund_owed, invoice.paid - invoice.refund_owed
        if data.draw(st.booleans()) and rest and invoice.status == "paid":
            invoice.refund_in_part(Money.of_minor(data.draw(st.integers(1, rest.minor)), rest.currency), "late")
        chosen = {sku: count for sku, units in left.items() if (count := data.draw(st.integers(0, units)))}
        if data.draw(st.booleans()) and _is_worth_something(invoice, chosen):
            invoice.refund_lines(chosen, "broken")  # and then they are cancelled, which refunds nothing more
        invoice.refund_units(f"C-1-{step}", chosen, "by_buyer")
        assert owed <= invoice.refund_owed <= invoice.paid
        left = {sku: count for sku, units in left.items() if (count := units - chosen.get(sku, 0))}
    invoice.refund_units("C-1-4", left, "by_buyer")

    assert invoice.refund_owed == invoice.paid
    assert sum(refunds_of(invoice)) == invoice.paid.minor
    assert sum(line.credited.minor for line in invoice.lines) <= invoice.paid.minor
    assert_is_its_history(invoice)


def _is_worth_something(invoice: Invoice, units: dict[Sku, int]) -> bool:
    """Whether an operator can refund these units: they are left, and something was paid for them."""
    by_sku, totals = {Sku(line.sku): line for line in invoice.lines}, invoice.line_totals()
    if any(count > by_sku[sku].quantity - by_sku[sku].units_refunded for sku, count in units.items()):
        return False
    return invoice.refund_owed < invoice.paid and any(
        totals[sku].of_units(by_sku[sku].units_refunded, count, by_sku[sku].quantity)
        and by_sku[sku].credited < totals[sku]
        for sku, count in units.items()
    )
