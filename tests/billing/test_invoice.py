"""The rules of an invoice: nothing is paid twice, and at most what was paid is refunded."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import events
from billing.events import InvoicedLine
from billing.models import INVOICE_LIFE, AmountMismatch, Invoice, MoreThanIsLeft
from integration.aggregates.aggregate import Aggregate
from integration.domain.errors import DomainError, NotYet
from integration.domain.identifiers import (
    BuyerId,
    CaptureId,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    RefundId,
    ShipmentId,
    Sku,
)
from integration.domain.money import CurrencyMismatch, Money
from integration.domain.states import NotAllowed

ORDER, PAYMENT, REFUND = OrderNumber("R-1"), PaymentId("P-1-1"), RefundId("F-1-1")
CAPTURE, SHIPMENT, SECOND = CaptureId("K-1-1"), ShipmentId("S-1-1"), ShipmentId("S-1-2")
NOTHING, TOTAL = Money.zero("USD"), Money("94.50", "USD")


def _open() -> Invoice:
    return Invoice.issue(
        ORDER,
        payer=BuyerId("B-1"),
        payment_method=PaymentMethodId("pm_card_visa"),
        lines=[
            InvoicedLine(Sku("MUG"), "Mug", 2, Money("12.50", "USD"), Money("22.50", "USD")),
            InvoicedLine(Sku("LAMP"), "Lamp", 1, Money("80", "USD"), Money("72.00", "USD")),
        ],
        discount=Money("10.50", "USD"),
        shipping=Money.zero("USD"),
        total=TOTAL,
    )


def _paid() -> Invoice:
    invoice = _open()
    invoice.settle(PAYMENT, TOTAL)
    return invoice


def _free(invoice: Invoice) -> Invoice:
    invoice.total = NOTHING
    return invoice


def _owed_back() -> Invoice:
    invoice = _paid()
    invoice.void("by_buyer")
    return invoice


def _refunded() -> Invoice:
    invoice = _owed_back()
    invoice.record_refund(REFUND, TOTAL)
    return invoice


def _void() -> Invoice:
    invoice = _open()
    invoice.void("payment_timeout")
    return invoice


def _void_and_paid() -> Invoice:
    invoice = _void()
    invoice.settle(PAYMENT, TOTAL)
    return invoice


def _owed_back_nearly() -> Invoice:
    """A paid invoice of which all but fifty cents are owed back."""
    invoice = _paid()
    invoice.owe_refund(TOTAL - Money("0.50", "USD"), PAYMENT, "scratched")
    return invoice


def _authorized() -> Invoice:
    """An authorized invoice of which one mug has left and is captured."""
    invoice = _open()
    invoice.authorize(PAYMENT, TOTAL)
    invoice.capture(PAYMENT, SHIPMENT, {Sku("MUG"): 1}, all_of_it=False)
    invoice.record_capture(PAYMENT, CAPTURE, Money("11.25", "USD"), was_failed=False)
    return invoice


def _without_captures(invoice: Invoice) -> Invoice:
    if invoice.status == "authorized":
        invoice.paid = NOTHING
    return invoice


def _all_released(invoice: Invoice) -> Invoice:
    if invoice.is_authorized:
        invoice.released_minor = (TOTAL - invoice.paid).minor
    return invoice


IN_STATE: dict[str, Callable[[], Invoice]] = {
    "open": _open,
    "paid": _owed_back_nearly,
    "refunded": _refunded,
    "void": _void,
    "authorized": _authorized,
}
SEND: dict[str, Callable[[Invoice], object]] = {
    "request_payment": lambda invoice: invoice.accepts("request_payment"),
    "settle_without_payment": lambda invoice: _free(invoice).settle_without_payment(),
    "settle": lambda invoice: invoice.settle(PAYMENT, TOTAL),
    "void": lambda invoice: _without_captures(invoice).void("by_buyer"),
    "void_in_part": lambda invoice: invoice.accepts("void_in_part"),
    "refund_in_part": lambda invoice: invoice.refund_in_part(Money("0.50", "USD"), "scratched"),
    "refund_units": lambda invoice: invoice.refund_units("C-1-1", {Sku("MUG"): 1}, "by_buyer"),
    "record_refund": lambda invoice: invoice.record_refund(REFUND, TOTAL),
    "take_back_refund": lambda invoice: invoice.take_back_refund(REFUND, invoice.refunded),
    "retry_payment": lambda invoice: invoice.retry_payment(PaymentMethodId("pm_card_visa"), 2),
    "return_surplus": lambda invoice: invoice.return_surplus(REFUND, invoice.surplus),
    "take_back_surplus": lambda invoice: invoice.take_back_surplus(REFUND, invoice.surplus),
    "assign_number": lambda invoice: invoice.assign_number(7),
    "authorize": lambda invoice: invoice.authorize(PAYMENT, TOTAL),
    "capture": lambda invoice: invoice.capture(PAYMENT, SECOND, {Sku("LAMP"): 1}, all_of_it=False),
    "record_capture": lambda invoice: invoice.record_capture(PAYMENT, CAPTURE, Money("1", "USD"), was_failed=True),
    "fail_capture": lambda invoice: invoice.fail_capture(CAPTURE, Money("1", "USD")),
    "complete_capture": lambda invoice: _all_released(invoice).complete_capture(PAYMENT),
    "lapse": lambda invoice: invoice.lapse(PAYMENT),
}


def _recorded(invoice: Invoice, kind: type) -> list[object]:
    return [recorded.event for recorded in invoice.recorded_events if type(recorded.event) is kind]


# --- The state table ---


def test_the_tests_cover_the_whole_state_table() -> None:
    assert set(IN_STATE) == set(INVOICE_LIFE.states)
    assert set(SEND) == set(INVOICE_LIFE.messages)


@pytest.mark.parametrize("state", IN_STATE)
def test_an_invoice_reaches_each_state_by_its_own_events(state: str) -> None:
    assert IN_STATE[state]().status == state


@pytest.mark.parametrize("message", SEND)
@pytest.mark.parametrize("state", IN_STATE)
def test_every_message_in_every_state_does_what_the_table_says(
    state: str, message: str, judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None]
) -> None:
    invoice = IN_STATE[state]()

    judge_by_table(invoice, message, lambda: SEND[message](invoice))


MESSAGES = st.one_of(
    st.just(("settle", 0)),
    st.just(("void", 0)),
    st.tuples(st.sampled_from(["owe_refund", "refund_in_part", "record_refund"]), st.integers(-5, 110)),
)


@given(st.lists(MESSAGES, max_size=15))
def test_no_sequence_of_messages_refunds_more_than_was_paid(messages: list[tuple[str, int]]) -> None:
    invoice, outstanding = _open(), 0
    for message, cents in messages:
        amount = Money.of_minor(cents * 100, "USD")
        try:
            if message == "owe_refund":
                invoice.owe_refund(amount, PAYMENT, "returned")
            elif message == "refund_in_part":
                invoice.refund_in_part(amount, "goodwill")
            elif message == "record_refund" and outstanding:
                # The provider refunds exactly the amounts that were requested.
                asked: object = _recorded(invoice, events.InvoiceRefundOwed)[-outstanding]
                assert isinstance(asked, events.InvoiceRefundOwed)
                invoice.record_refund(asked.refund, asked.amount)
            elif message != "record_refund":
                SEND[message](invoice)
        except DomainError:
            pass
        owed = len(_recorded(invoice, events.InvoiceRefundOwed))
        outstanding = owed - len(_recorded(invoice, events.InvoiceRefunded))
        assert NOTHING <= invoice.refunded <= invoice.refund_owed <= invoice.paid <= invoice.total
        assert NOTHING <= invoice.granted <= invoice.refund_owed
        assert invoice.paid in (NOTHING, invoice.total)
        assert invoice.refund_count == owed
        assert invoice.status != "refunded" or invoice.refunded == invoice.paid
        assert invoice.status != "paid" or invoice.refunded < invoice.paid


# --- Issuing ---


def test_an_invoice_has_lines_a_discount_and_a_total() -> None:
    invoice = _open()

    assert (invoice.number, invoice.order, invoice.payer) == ("I-1", ORDER, "B-1")
    assert (invoice.total, invoice.discount, invoice.paid, invoice.refunded) == (
        TOTAL,
        Money("10.50", "USD"),
        NOTHING,
        NOTHING,
    )
    assert [(line.sku, line.quantity, line.unit_price) for line in invoice.lines] == [
        ("MUG", 2, Money("12.50", "USD")),
        ("LAMP", 1, Money("80", "USD")),
    ]


# --- Paying ---


@pytest.mark.parametrize("invoice", [_open, _void])
@pytest.mark.parametrize("amount", ["94.49", "94.51", "0"])
def test_an_invoice_is_paid_in_full_or_not(invoice: Callable[[], Invoice], amount: str) -> None:
    unpaid = invoice()

    with pytest.raises(AmountMismatch):
        unpaid.settle(PAYMENT, Money(amount, "USD"))

    assert unpaid.paid == NOTHING


def test_an_invoice_is_paid_once() -> None:
    invoice = _paid()

    invoice.settle(PaymentId("P-1-2"), TOTAL)

    assert invoice.paid == TOTAL
    assert len(_recorded(invoice, events.InvoicePaid)) == 1


def test_a_payment_of_a_void_invoice_is_owed_back_at_once() -> None:
    invoice = _void_and_paid()

    assert (invoice.status, invoice.paid, invoice.refund_owed) == ("void", TOTAL, TOTAL)
    assert _recorded(invoice, events.InvoiceRefundOwed) == [
        events.InvoiceRefundOwed(
            invoice="I-1",  # type: ignore[arg-type]
            order=ORDER,
            refund=REFUND,
            payment=PAYMENT,
            amount=TOTAL,
            reason="paid after the order was cancelled",
        )
    ]


def test_a_payment_of_a_void_invoice_is_owed_back_once() -> None:
    invoice = _void_and_paid()

    invoice.settle(PAYMENT, TOTAL)
    invoice.void("by_buyer")

    assert len(_recorded(invoice, events.InvoiceRefundOwed)) == 1


# --- Refunding ---


def test_an_unpaid_invoice_of_a_cancelled_order_is_void() -> None:
    assert _void().status == "void"
    assert _recorded(_void(), events.InvoiceRefundOwed) == []


def test_a_paid_invoice_of_a_cancelled_order_owes_one_refund() -> None:
    invoice = _owed_back()

    invoice.void("by_operator")

    assert (invoice.status, invoice.refund_owed, invoice.refunded) == ("paid", TOTAL, NOTHING)
    assert len(_recorded(invoice, events.InvoiceRefundOwed)) == 1


def test_a_cancellation_refunds_what_was_not_refunded_yet() -> None:
    invoice = _paid()
    invoice.owe_refund(Money("4.50", "USD"), PAYMENT, "scratched")

    invoice.void("by_buyer")

    assert [event.amount for event in _recorded(invoice, events.InvoiceRefundOwed)] == [  # type: ignore[attr-defined]
        Money("4.50", "USD"),
        Money("90", "USD"),
    ]


@pytest.mark.parametrize("amount", ["0", "-1", "94.51"])
def test_refunds_owed_are_positive_and_at_most_what_was_paid(amount: str) -> None:
    invoice = _paid()

    with pytest.raises(MoreThanIsLeft):
        invoice.owe_refund(Money(amount, "USD"), PAYMENT, "")

    assert invoice.refund_owed == NOTHING


def test_of_two_refunds_of_sixty_percent_one_is_refused() -> None:
    invoice = _paid()
    most_of_it = TOTAL.percent(60)
    invoice.owe_refund(most_of_it, PAYMENT, "first")

    with pytest.raises(MoreThanIsLeft):
        invoice.owe_refund(most_of_it, PAYMENT, "second")

    assert invoice.refund_owed == most_of_it


def test_an_unpaid_invoice_owes_nothing_back() -> None:
    with pytest.raises(MoreThanIsLeft):
        _open().owe_refund(Money("1", "USD"), PAYMENT, "")
    with pytest.raises(NotAllowed):
        _open().record_refund(REFUND, TOTAL)


def test_each_refund_of_an_invoice_has_its_own_identifier() -> None:
    invoice = _paid()
    for _ in range(3):
        invoice.owe_refund(Money("1", "USD"), PAYMENT, "")

    refunds = [event.refund for event in _recorded(invoice, events.InvoiceRefundOwed)]  # type: ignore[attr-defined]
    assert refunds == ["F-1-1", "F-1-2", "F-1-3"]


def test_an_invoice_refunded_in_part_stays_paid_until_it_is_refunded_in_full() -> None:
    invoice = _paid()
    invoice.owe_refund(Money("4.50", "USD"), PAYMENT, "scratched")
    invoice.record_refund(REFUND, Money("4.50", "USD"))
    assert (invoice.status, invoice.refunded) == ("paid", Money("4.50", "USD"))

    invoice.void("by_buyer")
    invoice.record_refund(RefundId("F-1-2"), Money("90", "USD"))
    assert (invoice.status, invoice.refunded) == ("refunded", TOTAL)


def test_granted_refunds_are_counted_separately_from_those_of_a_cancellation() -> None:
    invoice = _paid()
    invoice.refund_in_part(Money("4.50", "USD"), "scratched")

    invoice.void("by_buyer")

    assert (invoice.granted, invoice.refund_owed) == (Money("4.50", "USD"), TOTAL)
    assert [event.reason for event in _recorded(invoice, events.InvoiceRefundGranted)] == ["scratched"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("amount", ["0", "-1", "94.51"])
def test_granted_refunds_are_positive_and_at_most_what_was_paid(amount: str) -> None:
    invoice = _paid()

    with pytest.raises(MoreThanIsLeft):
        invoice.refund_in_part(Money(amount, "USD"), "scratched")

    assert (invoice.granted, invoice.refund_owed) == (NOTHING, NOTHING)


def test_no_refund_is_granted_of_what_a_cancellation_refunds() -> None:
    with pytest.raises(MoreThanIsLeft):
        _owed_back().refund_in_part(Money("0.01", "USD"), "scratched")


def test_an_invoice_and_a_refund_are_in_one_currency() -> None:
    with pytest.raises(CurrencyMismatch):
        _paid().refund_in_part(Money("1", "EUR"), "scratched")


# --- Captures ---


def test_a_capture_that_succeeds_after_its_money_was_released_is_refunded() -> None:
    invoice, units = _open(), {Sku("MUG"): 2, Sku("LAMP"): 1}
    invoice.authorize(PAYMENT, TOTAL)
    invoice.capture(PAYMENT, SHIPMENT, units, all_of_it=False)
    invoice.fail_capture(CAPTURE, TOTAL)
    invoice.refund_units("S-1-1", units, "lost on its way")
    assert (invoice.released, invoice.refund_owed) == (TOTAL, NOTHING)

    invoice.record_capture(PAYMENT, CAPTURE, TOTAL, was_failed=True)

    assert (invoice.paid, invoice.released, invoice.refund_owed) == (TOTAL, NOTHING, TOTAL)


def test_a_capture_that_succeeds_late_pays_for_what_leaves_later() -> None:
    invoice, mugs, left = _open(), Money("22.50", "USD"), Money("49.50", "USD")
    invoice.authorize(PAYMENT, TOTAL)
    invoice.capture(PAYMENT, SHIPMENT, {Sku("MUG"): 2}, all_of_it=False)
    invoice.fail_capture(CAPTURE, mugs)
    invoice.refund_units("S-1-1", {Sku("MUG"): 2}, "lost on its way")
    invoice.record_capture(PAYMENT, CAPTURE, mugs, was_failed=True)
    invoice.capture(PAYMENT, SECOND, {Sku("LAMP"): 1}, all_of_it=False)
    owed = _recorded(invoice, events.InvoiceCaptureOwed)[-1]
    assert isinstance(owed, events.InvoiceCaptureOwed)
    assert (owed.amount, invoice.paid, invoice.refund_owed) == (left, mugs, NOTHING)


def test_nothing_more_is_refunded_while_a_capture_is_on_its_way() -> None:
    invoice = _open()
    invoice.authorize(PAYMENT, TOTAL)
    invoice.capture(PAYMENT, SHIPMENT, {Sku("LAMP"): 1}, all_of_it=True)
    with pytest.raises(NotYet):
        invoice.refund_units("C-1-1", {Sku("MUG"): 1}, "by_buyer", has_left=False)
    invoice.record_capture(PAYMENT, CAPTURE, TOTAL, was_failed=False)
    assert invoice.refund_units("C-1-1", {Sku("MUG"): 1}, "by_buyer", has_left=False) == Money("11.25", "USD")
    assert (invoice.status, invoice.refund_owed) == ("paid", Money("11.25", "USD"))


@given(
    st.lists(st.sampled_from(["send", "cancel"]), min_size=7, max_size=7),
    st.integers(7, 9_999),
    st.integers(0, 999),
    st.booleans(),
)
def test_any_sequence_of_parcels_and_cancellations_leaves_no_cent_over(
    fates: list[str], price: int, shipping: int, all_of_it: bool
) -> None:
    goods, zero = Money.of_minor(price, "USD"), Money.zero("USD")
    invoice = Invoice.issue(
        ORDER,
        payer=BuyerId("B-1"),
        payment_method=PaymentMethodId("pm_card_visa"),
        lines=[InvoicedLine(Sku("MUG"), "Mug", 7, goods, goods)],
        discount=goods * 6,
        shipping=Money.of_minor(shipping, "USD"),
        total=goods + Money.of_minor(shipping, "USD"),
    )
    invoice.authorize(PAYMENT, invoice.total)
    for n, fate in enumerate(fates):
        if fate == "send":
            shipment = ShipmentId(f"S-1-{n}")
            invoice.capture(PAYMENT, shipment, {Sku("MUG"): 1}, all_of_it=all_of_it)
            for owed in _recorded(invoice, events.InvoiceCaptureOwed):
                assert isinstance(owed, events.InvoiceCaptureOwed)
                if owed.shipment == shipment:
                    invoice.record_capture(PAYMENT, owed.capture, owed.amount, was_failed=False)
        else:
            invoice.refund_units(f"C-1-{n}", {Sku("MUG"): 1}, "by_buyer", has_left=False)
        assert invoice.paid + invoice.released + invoice.to_capture == invoice.total
    sent = fates.count("send")
    shipped = Money.of_minor(shipping, "USD") if sent else zero
    assert invoice.to_capture == zero
    assert invoice.paid - invoice.refund_owed == shipped + goods - goods.of_units(0, 7 - sent, 7)
