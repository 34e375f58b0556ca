"""The state table of payments: the provider decides, and each ends once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import events
from billing.models import PAYMENT_LIFE, Invoice, Payment
from integration.aggregates.aggregate import Aggregate
from integration.domain.identifiers import (
    BuyerId,
    CaptureId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    RefundId,
)
from integration.domain.money import Money

ORDER, INVOICE, PAYMENT, REFUND = OrderNumber("R-1"), InvoiceNumber("I-1"), PaymentId("P-1-1"), RefundId("F-1-1")
TOTAL = Money("94.50", "USD")

_moments = (datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in count())
NEXT = partial(next, _moments)
"""A later moment each time."""

Judge = Callable[[Aggregate, str, Callable[[], object]], None]


def _after(*messages: str) -> Callable[[], Payment]:
    def make() -> Payment:
        invoice = Invoice.issue(
            ORDER,
            payer=BuyerId("B-1"),
            payment_method=PaymentMethodId("pm_card_visa"),
            lines=[],
            discount=Money.zero("USD"),
            shipping=Money.zero("USD"),
            total=TOTAL,
        )
        payment = Payment.request(invoice)
        for message in messages:
            SEND[message](payment)
        return payment

    return make


def _close(payment: Payment, how: str, captured: int) -> None:
    payment.captured_minor = captured
    payment.close(how)


SEND: dict[str, Callable[[Payment], None]] = {
    "succeed": lambda payment: payment.succeed("ch_1"),
    "fail": lambda payment: payment.fail("generic_decline"),
    "lose_outcome": lambda payment: payment.lose_outcome(),
    "abandon": lambda payment: payment.abandon(),
    "require_action": lambda payment: payment.require_action("ch_1", "redirect", NEXT(), "https://bank.example/1"),
    "await_money": lambda payment: payment.await_money("ch_1", NEXT()),
    "expire": lambda payment: payment.expire(),
    "authorize": lambda payment: payment.authorize("ch_1", NEXT()),
    "record_capture": lambda payment: payment.record_capture(CaptureId("K-1-1"), Money("1.00", "USD")),
    "lapse": lambda payment: payment.lapse(),
    "close_captured": lambda payment: _close(payment, "voided", captured=1),
    "close_voided": lambda payment: _close(payment, "voided", captured=0),
    "close_expired": lambda payment: _close(payment, "expired", captured=0),
}
IN_STATE: dict[str, Callable[[], Payment]] = {
    "requested": _after(),
    "unknown": _after("lose_outcome"),
    "succeeded": _after("succeed"),
    "failed": _after("fail"),
    "abandoned": _after("abandon"),
    "action": _after("require_action"),
    "pending": _after("require_action", "await_money"),
    "expired": _after("await_money", "expire"),
    "authorized": _after("authorize"),
    "lapsed": _after("authorize", "lapse"),
    "voided": _after("authorize", "close_voided"),
}


# --- Payment ---


def test_the_tests_cover_the_whole_state_table() -> None:
    assert set(IN_STATE) == set(PAYMENT_LIFE.states)
    assert set(SEND) == set(PAYMENT_LIFE.messages)


@pytest.mark.parametrize("state", IN_STATE)
def test_a_payment_reaches_each_state_by_its_own_events(state: str) -> None:
    assert IN_STATE[state]().status == state


@pytest.mark.parametrize("message", SEND)
@pytest.mark.parametrize("state", IN_STATE)
def test_every_message_in_every_state_does_what_the_table_says(state: str, message: str, judge_by_table: Judge) -> None:
    payment = IN_STATE[state]()

    judge_by_table(payment, message, lambda: SEND[message](payment))


AUTHORIZATION = {"authorize", "record_capture", "lapse", "close_captured", "close_voided", "close_expired"}


@given(st.lists(st.sampled_from(sorted(SEND.keys() - AUTHORIZATION)), max_size=12))
def test_a_payment_succeeds_once_whatever_else_the_provider_reports(messages: list[str]) -> None:
    payment = IN_STATE["requested"]()
    for message in messages:
        SEND[message](payment)

    happened = [type(recorded.event) for recorded in payment.recorded_events]
    assert (payment.status == "succeeded") == ("succeed" in messages)
    assert happened.count(events.PaymentSucceeded) == ("succeed" in messages)
    assert happened.count(events.PaymentFailed) <= 1
    assert happened.count(events.PaymentAbandoned) <= 1


def test_a_payment_has_the_amount_and_method_of_its_invoice() -> None:
    payment = IN_STATE["requested"]()

    assert (payment.id, payment.invoice_id, payment.order) == (PAYMENT, INVOICE, ORDER)
    assert (payment.amount, payment.method) == (TOTAL, "pm_card_visa")


def test_a_payment_stores_its_reference_or_its_failure() -> None:
    assert IN_STATE["succeeded"]().reference == "ch_1"
    assert IN_STATE["failed"]().failure == "generic_decline"


def test_a_payment_that_succeeds_after_it_was_abandoned_stores_the_first_reference() -> None:
    payment = IN_STATE["abandoned"]()

    payment.succeed("ch_2")
    payment.succeed("ch_3")

    assert (payment.status, payment.reference) == ("succeeded", "ch_2")


def test_what_a_payment_waits_for_is_over_when_it_ends() -> None:
    payment = IN_STATE["action"]()
    assert payment.next_action == {"type": "redirect", "url": "https://bank.example/1", "details": {}}
    assert (payment.reference, payment.expires_at is None) == ("ch_1", False)
    for end in ("await_money", "expire"):
        SEND[end](payment)
        assert (payment.next_action, payment.expires_at is None) == (None, end == "expire")


def test_the_same_news_is_recorded_once_and_the_deadline_of_money_never_moves_back() -> None:
    payment = IN_STATE["requested"]()
    first, later = NEXT(), NEXT()
    for _ in range(2):
        payment.require_action("ch_1", "redirect", first, "https://bank.example/1")
    for moment in (later, first, later):
        payment.await_money("ch_1", moment)
    assert (payment.version, payment.expires_at) == (3, later)
    news = [recorded.event for recorded in payment.recorded_events[1:]]
    assert [event.sequence for event in news] == [2, 3]
