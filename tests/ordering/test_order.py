"""An order obeys its state table and its other rules in every state, for every message."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from integration.aggregates.aggregate import Aggregate
from integration.domain.address import Address
from integration.domain.errors import NotFound, NotYet, Unacceptable
from integration.domain.identifiers import (
    BuyerId,
    CancellationId,
    CartId,
    HoldId,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    ReceiptId,
    ReturnId,
    ShipmentId,
    Sku,
    WithdrawalId,
    guest_of_cart,
)
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from ordering import events
from ordering.models import (
    CONFIRMED_STATES,
    MAX_LINES,
    MAX_PRICE_MINOR,
    MAX_QUANTITY,
    MAX_TOTAL_MINOR,
    ORDER_LIFE,
    AmountMismatch,
    CancellationReason,
    HoldReason,
    MixedCurrencies,
    NothingToWithdraw,
    Order,
    QuantityOutOfBounds,
    TooExpensive,
    TooManyLines,
)
from ordering.models.order_corrections import CorrectionUnderWay, SameAddress
from ordering.models.order_shipping import ShippedTooMuch
from ordering.models.order_states import AlreadyClaimed, CancellationUnderWay
from ordering.pricing import Item
from tests.plain_orders import place_plainly

NUMBER, PAYMENT = OrderNumber("R-1"), PaymentId("P-1-1")
GUEST = guest_of_cart(CartId("8f14e45f-ceea-467f-a9e2-6f1c2d3b4a5e"))
SHIPMENT, SECOND = ShipmentId("S-1-1"), ShipmentId("S-1-2")
CANCELLATION, HOLD = CancellationId("C-1-1"), HoldId("H-1-1")
RETURN, RECEIPT, WITHDRAWAL = ReturnId("R-1-1"), ReceiptId("R-1-1-1"), WithdrawalId("W-1-1")
SOON = datetime(2030, 1, 1, tzinfo=UTC)
LONDON = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
NEXT_DOOR = Address("Ada Lovelace", "14 St James's Square", "London", "SW1Y 4JH", "GB")
MUGS = Item(Sku("MUG"), "Mug", 2, Money("12.50", "USD"))
LAMP = Item(Sku("LAMP"), "Lamp", 1, Money("80.00", "USD"))


def _placed(*lines: Item, discount_percent: int = 0) -> Order:
    return place_plainly(lines or (MUGS, LAMP), discount_percent, shipping_address=LONDON, buyer=GUEST)


def _awaiting_payment() -> Order:
    order = _placed()
    order.await_payment()
    return order


def _confirmed() -> Order:
    order = _awaiting_payment()
    order.confirm(PAYMENT, order.total)
    return order


def _partially_shipped() -> Order:
    order = _confirmed()
    order.mark_shipped(SHIPMENT, "DHL", "JD0143", {Sku("MUG"): 1})
    return order


def _shipped() -> Order:
    order = _partially_shipped()
    order.mark_shipped(SECOND, "UPS", "1Z", {Sku("MUG"): 1, Sku("LAMP"): 1})
    return order


def _shipped_whole() -> Order:
    order = _confirmed()
    order.mark_shipped(SHIPMENT, "DHL", "JD0143", {Sku("MUG"): 2, Sku("LAMP"): 1})
    return order


def _delivered() -> Order:
    order = _shipped()
    order.mark_delivered(SHIPMENT)
    order.mark_delivered(SECOND)
    return order


def _cancelled() -> Order:
    order = _awaiting_payment()
    order.cancel(CancellationReason.BY_BUYER)
    return order


def _cancelled_after_payment() -> Order:
    order = _confirmed()
    order.cancel(CancellationReason.BY_OPERATOR, "never mind")
    order.complete_cancellation(CancellationReason.BY_OPERATOR)
    return order


def _returned() -> Order:
    order = _delivered()
    _take_back(order)
    return order


def _take_back(order: Order, **units: int) -> None:
    """Take back these units, or all that were shipped."""
    has = {Sku(line.sku): line.shipped - line.returned - line.lost for line in order.lines}
    order.mark_returned(RETURN, RECEIPT, {Sku(sku): n for sku, n in units.items()} or has)


def _take_back_all(order: Order) -> None:
    """Take back all that was shipped; in most states there are other goods, too."""
    if order.status in ("shipped", "delivered"):
        _take_back(order)
    else:
        order.accepts("mark_returned")


def _withdraw(order: Order) -> None:
    order.withdraw({Sku("MUG"): 2, Sku("LAMP"): 1}, moment=SOON, refund_due_at=SOON)


def _arrange_withdrawal(order: Order) -> None:
    """Arrange a withdrawal; in this state it could perhaps not be declared."""
    declared = {"at": "2030-01-01T00:00:00+00:00", "refund_due_at": "2030-01-15T00:00:00+00:00", "lines": {"MUG": 1}}
    known = {WITHDRAWAL: {"return": None, "settled": False, **declared}}
    order.withdrawal_facts = {**known, **(order.withdrawal_facts or {})}
    order.arrange_withdrawal(WITHDRAWAL, RETURN)


def _note_overdue_refund(order: Order) -> None:
    """Let the refund of a withdrawal become overdue; in this state it could perhaps not be declared."""
    declared = {"at": "2030-01-01T00:00:00+00:00", "refund_due_at": "2030-01-15T00:00:00+00:00", "lines": {"MUG": 1}}
    known = {WITHDRAWAL: {"return": RETURN, "settled": False, **declared}}
    order.withdrawal_facts = {**known, **(order.withdrawal_facts or {})}
    order.note_overdue_refund(datetime(2030, 1, 14, tzinfo=UTC))
    assert not order.has_overdue_refund or "overdue" in order.withdrawal_facts[WITHDRAWAL]
    order.note_overdue_refund(datetime(2030, 1, 15, tzinfo=UTC))


IN_STATE: dict[str, Callable[[], Order]] = {
    "pending": _placed,
    "payment_pending": _awaiting_payment,
    "confirmed": _confirmed,
    "partly_shipped": _partially_shipped,
    "shipped": _shipped,
    "delivered": _delivered,
    "returned": _returned,
    "cancelled": _cancelled_after_payment,
}


def _ship(order: Order, **units: int) -> None:
    """Ship these units, or all that are left: in the second shipment if a mug left in the first."""
    shipment = SECOND if any(each.get("lines") == {"MUG": 1} for each in order.shipments) else SHIPMENT
    left = {Sku(line.sku): line.quantity - line.shipped for line in order.lines}
    order.mark_shipped(shipment, "DHL", "JD0143", {Sku(sku): n for sku, n in units.items()} or left)


def _settle(order: Order, **stopped: int) -> None:
    """Settle a requested cancellation of a mug and a lamp; in this state it could perhaps not be requested."""
    asked = {"status": "requested", "reason": "by_buyer", "lines": {"LAMP": 1, "MUG": 1}, "cancelled": {}}
    order.line_cancellations = {CANCELLATION: asked, **(order.line_cancellations or {})}
    order.settle_lines_cancellation(CANCELLATION, {Sku(sku): units for sku, units in stopped.items()})


def _cancel_rest(order: Order, message: str) -> None:
    """Stop all that did not leave, while what left is under way or delivered; nothing left in most states."""
    if order.status != "partly_shipped":
        order.accepts(message)
        return
    if message != "cancel_rest_under_way":
        order.mark_delivered(SHIPMENT)
    if message == "cancel_rest_of_returned":
        _take_back(order, MUG=1)
    left = {line.sku: line.open for line in order.lines if line.open}
    _settle(order, **left)


LATE = datetime(2035, 1, 1, tzinfo=UTC)


def _held(order: Order) -> Order:
    order.order_holds = {HOLD: {"reason": "other", "status": "requested"}, **(order.order_holds or {})}
    return order


def _asked_for(order: Order) -> Order:
    asked = {"correction": 1, "status": "requested", "address": to_builtins(NEXT_DOOR), "reason": "a wrong number"}
    order.address_correction = order.address_correction or asked
    return order


def _deliver_all(order: Order) -> None:
    """Deliver the first shipment if the second left, too, and then the last one."""
    if order.status == "shipped" and len(order.shipments) == 2:
        order.mark_delivered(SHIPMENT)
    order.mark_delivered(ShipmentId(order.shipments[-1]["id"]) if order.status == "shipped" else SECOND)


def _resolve(order: Order) -> None:
    """Lose the first shipment while the second, if there is one, is under way, and decide about it."""
    if order.status in ("partly_shipped", "shipped"):
        order.track_shipment(SHIPMENT, "lost", 1)
    order.resolve_shipment(SHIPMENT, "lost", "refund", {})


def _resolve_last(order: Order) -> None:
    """Lose the first shipment after the second was delivered, and decide about it."""
    if order.status == "shipped":
        order.mark_delivered(SECOND)
        order.track_shipment(SHIPMENT, "lost", 1)
    order.resolve_shipment(SECOND if order.status == "partly_shipped" else SHIPMENT, "lost", "refund", {})


def _lose_last(order: Order) -> None:
    """Lose both shipments, and decide about them."""
    for shipment in (SHIPMENT, SECOND) if order.status == "shipped" else ():
        order.track_shipment(shipment, "lost", 9)
    if order.status == "shipped":
        order.resolve_shipment(SECOND, "lost", "refund", _in(order, SECOND))
    if order.status in ("confirmed", "partly_shipped"):
        order.accepts("lose_last_shipment")
    else:
        order.resolve_shipment(SHIPMENT, "lost", "refund", _in(order, SHIPMENT))


def _in(order: Order, shipment: ShipmentId) -> dict[Sku, int]:
    """The units in a shipment of the order, as far as they did not come back."""
    has = {line.sku: line.shipped - line.returned - line.lost for line in order.lines}
    [lines] = [parcel["lines"] for parcel in order.parcels if parcel["id"] == shipment] or [[]]
    return {Sku(line["sku"]): min(line["quantity"], has[line["sku"]]) for line in lines}


def _try_another_payment(order: Order) -> None:
    if order.status == "payment_pending":
        order.await_another_payment(PAYMENT, "generic_decline", LATE)
        if not order.needs_another_payment:
            return  # it was tried before
    order.try_another_payment(PaymentMethodId("pm_card_visa"), order.created_at)


SEND: dict[str, Callable[[Order], object]] = {
    "await_payment": lambda order: order.await_payment(),
    "cancel_for_shortage": lambda order: order.cancel_for_shortage(),
    "confirm": lambda order: order.confirm(PAYMENT, order.total),
    "cancel_for_declined_payment": lambda order: order.cancel_for_declined_payment("generic_decline"),
    "expire": lambda order: order.expire(),
    "await_payment_until": lambda order: order.await_payment_until(PAYMENT, "pending", LATE, 1),
    "ask_for_payment": lambda order: order.ask_for_payment(),
    "record_authorization": lambda order: order.record_authorization(
        order.total, Money.zero("USD"), Money.zero("USD"), 1, is_confirmed=True
    ),
    "await_another_payment": lambda order: order.await_another_payment(PAYMENT, "generic_decline", LATE),
    "try_another_payment": _try_another_payment,
    "cancel": lambda order: order.cancel(CancellationReason.BY_BUYER, "changed my mind"),
    "complete_cancellation": lambda order: order.complete_cancellation(CancellationReason.BY_BUYER),
    "reject_cancellation": lambda order: order.reject_cancellation(),
    "cancel_lines": lambda order: order.cancel_lines([(Sku("MUG"), 1)], CancellationReason.BY_BUYER),
    "cancel_stopped_lines": lambda order: _settle(order, LAMP=1),
    "cancel_rest_under_way": lambda order: _cancel_rest(order, "cancel_rest_under_way"),
    "cancel_rest_of_returned": lambda order: _cancel_rest(order, "cancel_rest_of_returned"),
    "cancel_rest_of_delivered": lambda order: _cancel_rest(order, "cancel_rest_of_delivered"),
    "reject_lines_cancellation": _settle,
    "hold": lambda order: order.hold(HoldReason.FRAUD_RISK, "strange"),
    "lift_hold": lambda order: _held(order).lift_hold(HOLD),
    "settle_hold": lambda order: _held(order).settle_hold(HOLD, is_active=True),
    "mark_arranged": lambda order: order.mark_arranged(SHIPMENT),
    "mark_partly_shipped": lambda order: _ship(order, LAMP=1),
    "mark_shipped": _ship,
    "mark_partly_delivered": lambda order: order.mark_delivered(SHIPMENT),
    "mark_delivered": _deliver_all,
    "track_shipment": lambda order: order.track_shipment(SHIPMENT, "delivery_failed", 1),
    "resolve_shipment": _resolve,
    "resolve_last_shipment": _resolve_last,
    "lose_last_shipment": _lose_last,
    "note_return": lambda order: order.note_return(RETURN, "approved"),
    "mark_partly_returned": lambda order: _take_back(order, MUG=1),
    "mark_returned": _take_back_all,
    "withdraw": _withdraw,
    "arrange_withdrawal": _arrange_withdrawal,
    "note_overdue_refund": _note_overdue_refund,
    "record_refund": lambda order: order.record_refund(order.paid),
    "add_note": lambda order: order.add_note("asked by phone"),
    "correct_address": lambda order: order.correct_address(NEXT_DOOR, "a wrong number"),
    "settle_address_correction": lambda order: _asked_for(order).settle_address_correction(1, is_corrected=True),
    "claim": lambda order: order.claim(BuyerId("U-7")),
    "anonymize": lambda order: order.anonymize(),
}


def _recorded(order: Order) -> list[type]:
    return [type(recorded.event) for recorded in order.recorded_events]


def test_a_guests_order_is_claimed_once() -> None:
    order = _confirmed()
    order.claim(BuyerId("U-7"))
    assert order.buyer_id == "U-7"
    assert order.recorded_events[-1].event == events.OrderClaimed(
        order=NUMBER, guest=GUEST, buyer=BuyerId("U-7"), spend=order.total
    )
    with pytest.raises(AlreadyClaimed):
        order.claim(BuyerId("U-7"))
    with pytest.raises(NotFound):
        order.expect_buyer(GUEST)
    order.expect_buyer(BuyerId("U-7"))


def test_an_order_that_is_not_confirmed_counts_nothing_in_the_spend_of_who_claims_it() -> None:
    for order in (_placed(), _cancelled()):
        order.claim(BuyerId("U-7"))
        assert order.recorded_events[-1].event.spend is None


def test_an_order_of_no_guest_cannot_be_claimed() -> None:
    order = place_plainly((MUGS,), shipping_address=LONDON)
    with pytest.raises(AlreadyClaimed):
        order.claim(BuyerId("U-7"))


# --- The state table ---


def test_the_tests_cover_the_whole_state_table() -> None:
    assert set(IN_STATE) == set(ORDER_LIFE.states)
    assert set(SEND) == set(ORDER_LIFE.messages)


@pytest.mark.parametrize("state", IN_STATE)
def test_an_order_reaches_each_state_by_its_own_events(state: str) -> None:
    assert IN_STATE[state]().status == state


@pytest.mark.parametrize("message", SEND)
@pytest.mark.parametrize("state", IN_STATE)
def test_every_message_in_every_state_does_what_the_table_says(
    state: str, message: str, judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None]
) -> None:
    order = IN_STATE[state]()

    judge_by_table(order, message, lambda: SEND[message](order))


@given(st.lists(st.sampled_from(sorted(SEND)), max_size=25))
def test_an_order_obeys_its_rules_after_any_sequence_of_messages(messages: list[str]) -> None:
    order = _placed()
    for message in messages:
        before = (order.status, order.paid, order.refunded)
        try:
            SEND[message](order)
        except (NotAllowed, NotYet, AlreadyClaimed, NothingToWithdraw, SameAddress, CorrectionUnderWay):
            assert (order.status, order.paid, order.refunded) == before
        assert order.total == order.subtotal - order.discount
        assert Money.zero("USD") <= order.refunded <= order.paid <= order.total
        assert bool(order.cancellation_reason) == (order.status == "cancelled")
        shipped, ordered = sum(line.shipped for line in order.lines), sum(line.quantity for line in order.lines)
        left = ordered - shipped - sum(line.cancelled for line in order.lines)
        assert (order.status in ("shipped", "delivered", "returned")) == (shipped > 0 and not left)
        assert (order.status == "partly_shipped") == (shipped > 0 and left > 0)
        assert all(order.delivered.get(line.sku, 0) <= line.shipped <= line.quantity for line in order.lines)
        assert all(line.open >= 0 for line in order.lines)
        has = shipped - sum(line.returned + line.lost for line in order.lines)
        assert (order.status == "returned") == (shipped > 0 and not left + has)
        left_us = [each for each in order.shipments if each["status"] not in ("arranged", "cancelled")]
        is_done = all(each["status"] == "delivered" or "resolution" in each for each in left_us)
        assert (order.status == "delivered") == (has > 0 and not left and is_done)
        assert order.status not in CONFIRMED_STATES or order.paid == order.total
    assert order.version == len(order.recorded_events)


REPEATED_BY_PERSONS = ("cancel_lines", "hold", "withdraw", "add_note", "correct_address", "try_another_payment")
"""The messages that persons send again on purpose: for more units, for another hold, or with other words."""


@pytest.mark.parametrize("state", IN_STATE)
def test_a_message_sent_twice_takes_effect_once(state: str) -> None:
    for message in SEND.keys() - {*REPEATED_BY_PERSONS}:
        order = IN_STATE[state]()
        try:
            SEND[message](order)
        except (NotAllowed, NotYet):
            continue
        after_once = (order.status, order.version)

        try:
            SEND[message](order)
        except (NotAllowed, AlreadyClaimed):
            assert message in ("cancel", "claim")  # repeated by a person, who gets an error
        assert (order.status, order.version) == after_once, message


def test_the_deadline_of_a_payment_that_waits_never_moves_back_whatever_comes_first() -> None:
    news = [("action_required", LATE, 1), ("pending", LATE - timedelta(days=1), 2), ("pending", LATE, 2)]
    for order_of_arrival in permutations(news):
        order = _placed()
        due = order.payment_due_at
        for status, moment, sequence in order_of_arrival:
            order.await_payment_until(PAYMENT, status, moment, sequence)
            assert order.payment_due_at >= due
            due = order.payment_due_at
        assert (order.payment_status, order.payment_progress["sequence"]) == ("pending", 2)


def test_billing_is_asked_once_for_each_deadline() -> None:
    order = _placed()
    for sequence, moment in ((1, LATE), (2, LATE), (3, LATE + timedelta(days=1))):
        order.await_payment_until(PAYMENT, "pending", moment, sequence)
        for _ in range(2):
            order.ask_for_payment()
    assert _recorded(order).count(events.OrderPaymentOverdue) == 2


# --- Placing ---


def test_the_total_of_an_order_is_the_sum_of_its_lines_minus_the_discount() -> None:
    order = _placed(MUGS, LAMP, discount_percent=10)

    assert order.subtotal == Money("105.00", "USD")
    assert order.discount == Money("10.50", "USD")
    assert order.total == Money("94.50", "USD")
    assert [(line.sku, line.quantity, line.subtotal, line.total) for line in order.shown_lines] == [
        ("MUG", 2, Money("25.00", "USD"), Money("22.50", "USD")),
        ("LAMP", 1, Money("80.00", "USD"), Money("72.00", "USD")),
    ]


@given(
    st.lists(st.tuples(st.integers(1, MAX_QUANTITY), st.integers(1, 10**9)), min_size=1, max_size=30),
    st.integers(0, 100),
    st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_the_amounts_of_an_order_are_exact(lines: list[tuple[int, int]], percent: int, currency: str) -> None:
    order = _placed(
        *(
            Item(Sku(f"S{i}"), "", quantity, Money.of_minor(minor, currency))
            for i, (quantity, minor) in enumerate(lines)
        ),
        discount_percent=percent,
    )

    assert order.subtotal.minor == sum(quantity * minor for quantity, minor in lines)
    assert order.total + order.discount == order.subtotal
    assert order.total >= Money.zero(currency)


@pytest.mark.parametrize("quantity", [0, -1, MAX_QUANTITY + 1, 10**9])
def test_a_quantity_out_of_bounds_is_refused(quantity: int) -> None:
    with pytest.raises(QuantityOutOfBounds):
        _placed(Item(Sku("MUG"), "Mug", quantity, Money("1", "USD")))


@pytest.mark.parametrize("number", [0, MAX_LINES + 1])
def test_an_order_has_a_bounded_number_of_lines(number: int) -> None:
    lines = [Item(Sku(f"S{n}"), "", 1, Money("1", "USD")) for n in range(number)]

    with pytest.raises(TooManyLines):
        place_plainly(lines, shipping_address=LONDON)


@pytest.mark.parametrize("currency", ["CLF", "KWD", "USD", "JPY"])
def test_a_total_above_the_limit_is_refused_in_any_currency(currency: str) -> None:
    dearest = Money.of_minor(MAX_PRICE_MINOR, currency)
    lines = [Item(Sku(f"S{n}"), "", MAX_QUANTITY, dearest) for n in range(MAX_LINES)]
    most = MAX_TOTAL_MINOR // (MAX_QUANTITY * MAX_PRICE_MINOR)
    assert _placed(*lines[:most]).total.minor <= MAX_TOTAL_MINOR
    if most < MAX_LINES:
        with pytest.raises(TooExpensive):
            _placed(*lines[: most + 1])


def test_the_largest_order_is_accepted() -> None:
    order = _placed(*(Item(Sku(f"S{n}"), "", MAX_QUANTITY, Money("1", "USD")) for n in range(MAX_LINES)))

    assert order.total == Money(MAX_LINES * MAX_QUANTITY, "USD")  # type: ignore[arg-type]


def test_an_order_with_several_currencies_is_refused() -> None:
    with pytest.raises(MixedCurrencies):
        _placed(MUGS, Item(Sku("TEA"), "Tea", 1, Money("3", "EUR")))


def test_a_refusal_has_a_pointer_to_the_input() -> None:
    with pytest.raises(Unacceptable) as refusal:
        _placed(Item(Sku("MUG"), "Mug", 0, Money("1", "USD")))

    assert refusal.value.pointer == "/lines"


# --- Payment ---


@pytest.mark.parametrize("order", [_awaiting_payment, _cancelled], ids=["waiting", "cancelled"])
@pytest.mark.parametrize("amount", [Money("104.99", "USD"), Money("105.01", "USD"), Money("0", "USD")])
def test_a_payment_of_the_wrong_amount_is_refused(order: Callable[[], Order], amount: Money) -> None:
    unpaid = order()
    before = unpaid.version

    with pytest.raises(AmountMismatch):
        unpaid.confirm(PAYMENT, amount)

    assert (unpaid.version, unpaid.paid) == (before, Money.zero("USD"))


def test_a_payment_after_the_cancellation_is_recorded_once() -> None:
    order = _cancelled()

    order.confirm(PAYMENT, order.total)
    order.confirm(PAYMENT, order.total)

    assert _recorded(order).count(events.OrderPaidTooLate) == 1
    assert (order.status, order.paid, order.payment_status) == ("cancelled", order.total, "paid")


def test_a_refund_before_its_payment_is_too_early() -> None:
    order = _cancelled()

    with pytest.raises(NotYet):
        order.record_refund(order.total)


def test_the_highest_total_of_refunds_counts() -> None:
    order = _cancelled_after_payment()

    for refunded in ("60", "40", "60", "105"):
        order.record_refund(Money(refunded, "USD"))

    assert order.refunded == Money("105", "USD")
    assert _recorded(order).count(events.OrderRefunded) == 2


@pytest.mark.parametrize(
    ("order", "payment_status"),
    [
        (_placed, "pending"),
        (_awaiting_payment, "pending"),
        (_confirmed, "paid"),
        (_delivered, "paid"),
        (_cancelled, "cancelled"),
    ],
)
def test_the_payment_status_of_an_order(order: Callable[[], Order], payment_status: str) -> None:
    assert order().payment_status == payment_status


def test_the_payment_status_after_a_declined_payment_and_after_a_refund() -> None:
    declined, refunded = _awaiting_payment(), _cancelled_after_payment()
    declined.cancel_for_declined_payment("insufficient_funds")
    refunded.record_refund(Money("0.01", "USD"))
    assert refunded.payment_status == "partly_refunded"
    refunded.record_refund(refunded.paid)

    assert (declined.payment_status, declined.note) == ("failed", "insufficient_funds")
    assert refunded.payment_status == "refunded"


# --- Cancelling ---


def test_an_unconfirmed_order_is_cancelled_at_once() -> None:
    order = _awaiting_payment()

    order.cancel(CancellationReason.BY_BUYER, "changed my mind")

    assert (order.status, order.cancellation_reason, order.note) == ("cancelled", "by_buyer", "changed my mind")
    cancelled: Any = order.recorded_events[-1].event
    assert cancelled.was_confirmed is False


def test_the_cancellation_of_a_confirmed_order_is_requested_once() -> None:
    order = _confirmed()

    order.cancel(CancellationReason.BY_BUYER, "too late?")
    order.cancel(CancellationReason.BY_BUYER, "too late?")
    with pytest.raises(CancellationUnderWay):
        order.cancel(CancellationReason.BY_OPERATOR, "fraud, stop it")

    assert (order.status, order.cancellation_requested) == ("confirmed", True)
    assert _recorded(order).count(events.OrderCancellationRequested) == 1


def test_fulfillment_may_complete_a_requested_cancellation() -> None:
    order = _cancelled_after_payment()

    assert (order.status, order.cancellation_reason, order.note) == ("cancelled", "by_operator", "never mind")
    assert order.cancellation_requested is False
    cancelled: Any = order.recorded_events[-1].event
    assert (cancelled.was_confirmed, cancelled.total) == (True, order.total)


def test_fulfillment_may_reject_a_requested_cancellation() -> None:
    order = _confirmed()
    order.cancel(CancellationReason.BY_BUYER)

    order.reject_cancellation()
    order.reject_cancellation()

    assert (order.status, order.cancellation_requested) == ("confirmed", False)
    assert _recorded(order).count(events.OrderCancellationRefused) == 1


@pytest.mark.parametrize("state", ["partly_shipped", "shipped", "delivered", "cancelled"])
def test_a_shipped_delivered_or_cancelled_order_cannot_be_cancelled(state: str) -> None:
    with pytest.raises(NotAllowed, match=f"order R-1 is {state.replace('_', ' ')}: cannot cancel"):
        IN_STATE[state]().cancel(CancellationReason.BY_OPERATOR)


# --- Shipping ---


def test_a_shipped_order_has_its_shipment_and_shipped_quantities() -> None:
    order = _shipped_whole()

    assert [(line.sku, line.shipped) for line in order.lines] == [("MUG", 2), ("LAMP", 1)]
    assert order.status == "shipped"
    assert order.shipments == [
        {"id": "S-1-1", "status": "dispatched", "carrier": "DHL", "tracking_number": "JD0143"},
    ]


def test_an_order_in_two_parcels_shows_what_is_in_each() -> None:
    order = _shipped()
    order.mark_delivered(SECOND)

    assert [(line.sku, line.shipped) for line in order.lines] == [("MUG", 2), ("LAMP", 1)]
    assert (order.status, order.delivered) == ("shipped", {"MUG": 1, "LAMP": 1})
    assert [(parcel["id"], parcel["status"], parcel["lines"]) for parcel in order.parcels] == [
        ("S-1-1", "dispatched", [{"sku": "MUG", "quantity": 1}]),
        ("S-1-2", "delivered", [{"sku": "MUG", "quantity": 1}, {"sku": "LAMP", "quantity": 1}]),
    ]


def test_an_order_is_delivered_with_its_last_parcel() -> None:
    order = _partially_shipped()
    order.mark_delivered(SHIPMENT)
    assert (order.status, order.delivered) == ("partly_shipped", {"MUG": 1})

    order.mark_shipped(SECOND, "UPS", "1Z", {Sku("MUG"): 1, Sku("LAMP"): 1})
    assert order.status == "shipped"
    order.mark_delivered(SECOND)
    assert (order.status, order.delivered) == ("delivered", {"MUG": 2, "LAMP": 1})


def test_a_parcel_counts_once() -> None:
    order = _partially_shipped()
    for shipment in (SHIPMENT, SECOND, SHIPMENT, SECOND):
        order.mark_shipped(shipment, "DHL", "JD0143", {Sku("MUG"): 1})

    assert [line.shipped for line in order.lines] == [2, 0]
    assert _recorded(order).count(events.OrderShipped) == 2


@pytest.mark.parametrize(
    ("order", "units"), [(_partially_shipped, {"MUG": 2}), (_confirmed, {"MUG": 3}), (_shipped, {"LAMP": 1})]
)
def test_no_more_is_shipped_than_is_left(order: Callable[[], Order], units: dict[str, int]) -> None:
    shipping = order()
    before = shipping.version

    with pytest.raises(ShippedTooMuch):
        shipping.mark_shipped(ShipmentId("S-1-3"), "DHL", "1", {Sku(sku): n for sku, n in units.items()})

    assert shipping.version == before


def test_a_delivery_before_the_dispatch_of_its_parcel_is_too_early() -> None:
    for order in (_partially_shipped(), _shipped()):
        with pytest.raises(NotYet):
            order.mark_delivered(ShipmentId("S-1-3"))


@given(st.permutations(["arrange 2", "ship 1", "ship 2", "deliver 1", "deliver 2"]))
def test_two_parcels_lead_to_one_state_in_any_order_of_arrival(messages: list[str]) -> None:
    order, first, rest = _confirmed(), {Sku("MUG"): 1}, {Sku("MUG"): 1, Sku("LAMP"): 1}
    order.mark_arranged(SHIPMENT)
    send: dict[str, Callable[[], None]] = {
        "arrange 2": lambda: order.mark_arranged(SECOND),
        "ship 1": lambda: order.mark_shipped(SHIPMENT, "DHL", "1", first),
        "ship 2": lambda: order.mark_shipped(SECOND, "DHL", "2", rest),
        "deliver 1": lambda: order.mark_delivered(SHIPMENT),
        "deliver 2": lambda: order.mark_delivered(SECOND),
    }
    waiting = list(messages)
    while waiting:
        message = waiting.pop(0)
        try:
            send[message]()
        except NotYet:
            waiting.append(message)

    assert (order.status, order.delivered) == ("delivered", {"MUG": 2, "LAMP": 1})
    assert order.shipments == [
        {"id": SHIPMENT, "status": "delivered", "carrier": "DHL", "tracking_number": "1", "lines": first},
        {"id": SECOND, "status": "delivered", "carrier": "DHL", "tracking_number": "2", "lines": rest},
    ]


def test_a_delivered_order_has_delivered_shipments() -> None:
    assert [shipment["status"] for shipment in _delivered().shipments] == ["delivered", "delivered"]


# --- Shipments ---


def test_a_confirmed_order_shows_its_arranged_shipment() -> None:
    order = _confirmed()
    order.mark_arranged(SHIPMENT)
    order.mark_arranged(SHIPMENT)

    assert order.shipments == [{"id": SHIPMENT, "status": "arranged", "carrier": "", "tracking_number": ""}]
    assert _recorded(order).count(events.OrderShipmentArranged) == 1


@pytest.mark.parametrize("state", ["shipped", "delivered", "cancelled"])
def test_the_shipments_are_the_same_in_whichever_order_their_messages_arrive(state: str) -> None:
    finish = {
        "shipped": [SEND["mark_shipped"]],
        "delivered": [SEND["mark_shipped"], SEND["mark_delivered"]],
        "cancelled": [SEND["cancel"], SEND["complete_cancellation"]],
    }[state]
    early, late = _confirmed(), _confirmed()
    early.mark_arranged(SHIPMENT)
    for message in finish:
        message(early)
        message(late)
    late.mark_arranged(SHIPMENT)

    assert early.shipments == late.shipments
    assert [each["status"] for each in early.shipments] == [state.replace("shipped", "dispatched")]


def test_an_order_that_was_never_confirmed_has_no_shipment() -> None:
    order = _cancelled()
    assert order.shipments == []
