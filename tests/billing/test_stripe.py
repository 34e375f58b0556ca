"""Stripe behind the port, over real sockets, against a local server that keeps what it did and the idempotency keys."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.gateways import (
    ActionRequired,
    Authorized,
    Booked,
    Captured,
    Charged,
    Declined,
    Disputed,
    Expired,
    OutcomeUnknown,
    PaymentProvider,
    Refunded,
    RefundFailed,
    Voided,
)
from billing.gateways.stripe.adapter import StripeProvider, adapter
from billing.gateways.stripe.models import Request
from billing.models import Capture, Payment, Refund
from billing.reconciliation import compare
from fulfillment.commands import dispatch_shipment, shipment_of
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, PaymentMethodId, Sku
from integration.domain.money import Money
from ordering.commands import cancel_lines, cancel_order
from ordering.models import CancellationReason, Order
from tests.billing.stripe_server import StripeServer, stripe_server

pytestmark = pytest.mark.django_db

TOTAL, HALF = Money("94.50", "USD"), Money("47.25", "USD")
VISA, DECLINED, SECURE = map(
    PaymentMethodId, ("pm_card_visa", "pm_card_chargeDeclinedInsufficientFunds", "pm_card_authenticationRequired")
)
DAY = timedelta(hours=25)


@pytest.fixture
def stripe(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[StripeServer]:
    settings.PAYMENT_PROVIDER = "stripe"
    with stripe_server(monkeypatch.setenv) as server:
        yield server


def send(body: bytes, headers: dict[str, str]) -> int:
    path = "/api/v1/webhooks/payments/stripe"
    response = APIClient().post(path, body, content_type="application/json", headers=headers)
    return int(response.status_code)


def books() -> dict[str, Booked]:
    return {booked.key: booked for booked in adapter.books(clock.now() - timedelta(days=9))}


def test_a_card_is_charged_once_and_the_id_is_known_before_it_is_confirmed(stripe: StripeServer) -> None:
    port: PaymentProvider = adapter
    first = port.charge("P-1", VISA, TOTAL)
    assert isinstance(first.outcome, Charged)
    assert first == Booked("P-1", first.outcome, TOTAL) == port.charge("P-1", VISA, TOTAL) == port.find_charge("P-1")
    assert stripe.sum_of("charge") == 9450
    assert Request.objects.get(pk="P-1").object == first.outcome.reference
    assert books() == {"P-1": first}
    assert port.find_charge("P-2") is None
    known = port.find_method(VISA)
    assert known
    assert (known.kind, known.brand, known.last4, known.expires) == ("card", "visa", "4242", "2030-08")
    assert port.find_method(PaymentMethodId("pm_/../x")) is None


def test_a_decline_is_final_and_so_is_an_unknown_method(stripe: StripeServer) -> None:
    for key, method, code in (("P-1", DECLINED, "insufficient_funds"), ("P-2", "pm_nobody", "resource_missing")):
        for _ in range(2):
            assert adapter.charge(key, PaymentMethodId(method), TOTAL).outcome == Declined(code)
    assert stripe.sum_of("charge") == 0
    assert set(books()) == {"P-1"}


def test_whatever_response_is_lost_there_is_one_charge_and_one_refund(stripe: StripeServer) -> None:
    for n, path in enumerate(["payment_intents", "confirm"]):
        key = f"P-{n}"
        where = path if n == 0 else f"payment_intents/pi_{0:024}/confirm"
        if n:
            adapter_create(key)
            where = f"payment_intents/{Request.objects.get(pk=key).object}/confirm"
        stripe.lose_response(where)
        with pytest.raises(OutcomeUnknown):
            adapter.charge(key, VISA, TOTAL)
        assert isinstance(adapter.charge(key, VISA, TOTAL).outcome, Charged)
    assert stripe.sum_of("charge") == 2 * 9450
    assert len(stripe.of_kind("payment_intent")) == 2
    charge = Request.objects.get(pk="P-0").object
    stripe.lose_response("refunds")
    with pytest.raises(OutcomeUnknown):
        adapter.refund("F-1", charge, HALF)
    assert isinstance(adapter.find_refund("F-1"), Booked)
    assert isinstance(adapter.refund("F-1", charge, HALF).outcome, Refunded)
    assert stripe.sum_of("refund") == 4725
    assert stripe.sent("POST", "refunds") == ["F-1", "F-1"]


def adapter_create(key: str) -> None:
    """Create an intent whose id is committed, and lose the worker before it is confirmed."""
    confirm = StripeProvider._confirm
    try:
        StripeProvider._confirm = _die  # type: ignore[method-assign, assignment]
        with pytest.raises(OutcomeUnknown):
            adapter.charge(key, VISA, TOTAL)
    finally:
        StripeProvider._confirm = confirm  # type: ignore[method-assign]


def _die(*args: object) -> None:
    raise OutcomeUnknown


def test_an_old_key_is_looked_for_and_never_repeated(stripe: StripeServer) -> None:
    """A dead letter that is replayed days later finds what its lost request did."""
    charge = adapter.charge("P-0", VISA, TOTAL).outcome
    assert isinstance(charge, Charged)
    stripe.lose_response("payment_intents")
    with pytest.raises(OutcomeUnknown):
        adapter.charge("P-1", VISA, TOTAL)
    for path in ("refunds",):
        stripe.lose_response(path)
        with pytest.raises(OutcomeUnknown):
            adapter.refund("F-1", charge.reference, HALF)
    stripe.refuse("refunds", 503)
    with pytest.raises(OutcomeUnknown):
        adapter.refund("F-2", charge.reference, HALF)
    stripe.forget_keys()
    with clock.moved(DAY):
        assert isinstance(adapter.charge("P-1", VISA, TOTAL).outcome, Charged)
        assert isinstance(adapter.refund("F-1", charge.reference, HALF).outcome, Refunded)
        assert isinstance(adapter.refund("F-2", charge.reference, HALF).outcome, Refunded)
    assert stripe.sum_of("charge") == 2 * 9450
    assert stripe.sum_of("refund") == 9450
    assert stripe.sent("POST", "refunds") == ["F-1", "F-2", "F-2-2"]
    assert len(stripe.of_kind("payment_intent")) == 2


def test_3d_secure_sends_the_buyer_to_the_bank(stripe: StripeServer) -> None:
    for key, play, kind, then in (
        ("P-1", stripe.complete_action, "payment_intent.succeeded", Charged),
        ("P-2", stripe.fail_action, "payment_intent.payment_failed", Declined),
    ):
        asked = adapter.charge(key, SECURE, TOTAL).outcome
        assert isinstance(asked, ActionRequired)
        assert asked.url.startswith("https://hooks.stripe.com/")
        intent = play(asked.reference)
        booked = adapter.read_call_back(*stripe.event(kind, intent)).booked
        assert booked
        assert isinstance(booked.outcome, then)
        assert adapter.charge(key, SECURE, TOTAL) == booked == adapter.find_charge(key)
    adapter.charge("P-3", SECURE, TOTAL)
    assert [type(each.outcome) for each in (adapter.cancel("P-1"), adapter.cancel("P-3")) if each] == [Charged, Expired]
    assert adapter.cancel("P-4") is None
    assert isinstance(adapter.charge("P-4", VISA, TOTAL).outcome, Expired)
    assert stripe.sum_of("charge") == 9450


def test_an_authorization_is_captured_once_voided_or_lapses(stripe: StripeServer) -> None:
    charges = {}
    for key in ("P-1", "P-2", "P-3"):
        held = adapter.charge(key, VISA, TOTAL, capture=False).outcome
        assert isinstance(held, Authorized)
        charges[key] = held.reference
    path = f"payment_intents/{charges['P-1']}/capture"
    stripe.lose_response(path)
    with pytest.raises(OutcomeUnknown):
        adapter.capture("C-1", charges["P-1"], HALF)
    captured = adapter.capture("C-1", charges["P-1"], HALF)
    assert isinstance(captured.outcome, Captured)
    assert captured == Booked("C-1", captured.outcome, HALF) == adapter.find_capture("C-1", charges["P-1"])
    assert adapter.find_capture("C-2", charges["P-1"]) is None
    assert adapter.capture("C-2", charges["P-1"], HALF).outcome == Declined("already_captured")
    assert isinstance(adapter.void("V-1", charges["P-1"]).outcome, Authorized)
    assert isinstance(adapter.void("V-2", charges["P-2"]).outcome, Voided)
    stripe.lapse(charges["P-3"])
    assert adapter.capture("C-3", charges["P-3"], HALF).outcome == Declined("authorization_expired")
    kinds = {key: type(booked.outcome) for key, booked in books().items()}
    assert kinds == {"P-1": Authorized, "C-1": Captured, "P-2": Voided, "P-3": Expired}
    assert stripe.sum_of("charge") == 4725
    event = stripe.event("payment_intent.succeeded", charges["P-1"])
    assert adapter.read_call_back(*event).booked == captured


def test_a_dispute_and_a_refund_that_fails(stripe: StripeServer) -> None:
    charge = adapter.charge("P-1", VISA, TOTAL).outcome
    assert isinstance(charge, Charged)
    refunded = adapter.refund("F-1", charge.reference, HALF).outcome
    assert isinstance(refunded, Refunded)
    failed = stripe.fail_refund(refunded.reference)
    booked = adapter.read_call_back(*stripe.event("refund.failed", failed)).booked
    assert booked
    assert booked.outcome == RefundFailed(refunded.reference, "lost_or_stolen_card")
    assert adapter.find_refund("F-1") == booked
    dispute = stripe.dispute(charge.reference)
    opened = adapter.read_call_back(*stripe.event("charge.dispute.created", dispute)).booked
    assert opened
    assert isinstance(opened.outcome, Disputed)
    assert (opened.outcome.charge, opened.outcome.kind, opened.outcome.status) == (
        charge.reference,
        "chargeback",
        "needs_response",
    )
    assert opened.outcome.evidence_due
    assert adapter.refund("F-2", charge.reference, HALF).outcome == RefundFailed("F-2", "charge_disputed")
    for status, then in (
        ("won", "won"),
        ("lost", "lost"),
        ("warning_needs_response", "warning"),
        ("warning_closed", "won"),
        ("under_review", "needs_response"),
    ):
        dispute["status"] = status
        listed = books()[dispute["id"]].outcome
        assert isinstance(listed, Disputed)
        assert (listed.status, listed.kind) == (then, "inquiry" if "warning" in status else "chargeback")


def test_a_429_says_when_to_ask_again(stripe: StripeServer) -> None:
    stripe.refuse("payment_intents", 429, **{"Retry-After": "7"})
    with pytest.raises(OutcomeUnknown) as error:
        adapter.charge("P-1", VISA, TOTAL)
    assert error.value.retry_after == timedelta(seconds=7)
    for status in (409, 401):
        stripe.refuse("payment_intents", status)
        with pytest.raises(OutcomeUnknown):
            adapter.charge("P-1", VISA, TOTAL)
    assert isinstance(adapter.charge("P-1", VISA, TOTAL).outcome, Charged)


def test_the_lists_are_read_page_by_page(stripe: StripeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.gateways.stripe.client.PAGE", 2)
    for n in range(5):
        adapter.charge(f"P-{n}", VISA, TOTAL)
    assert set(books()) == {f"P-{n}" for n in range(5)}
    assert len(stripe.sent("GET", "payment_intents")) == 3


def test_a_worker_killed_between_request_and_response_charges_once(
    stripe: StripeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child process is killed with the request at Stripe; what asks again uses the same key."""
    if (child := os.fork()) == 0:
        import billing.gateways.stripe.client as client

        monkeypatch.setattr(client.msgspec.json, "decode", lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL))
        try:
            client.ask("post", "payment_intents", "P-1", amount=9450, currency="usd", payment_method=VISA)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert len(stripe.of_kind("payment_intent")) == 1
    again = {"amount": 9450, "currency": "usd", "payment_method": VISA}
    from billing.gateways.stripe.client import ask

    assert ask("post", "payment_intents", "P-1", **again)["id"] == stripe.of_kind("payment_intent")[0]["id"]
    assert stripe.sent("POST", "payment_intents") == ["P-1", "P-1"]


def test_the_whole_saga(
    stripe: StripeServer, placed: Callable[..., OrderNumber], drain: Callable[..., int], later: Callable[..., None]
) -> None:
    order, refused = placed(), placed(method=DECLINED)
    drain()
    statuses = dict(Order.objects.values_list("number", "status"))
    assert (statuses[order], statuses[refused]) == ("confirmed", "cancelled")
    payment = Payment.objects.get(order=order)
    event = stripe.event("payment_intent.succeeded", payment.reference)
    assert [send(*event), send(*event)] == [204, 204]
    cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    assert Refund.objects.get().status == "issued"
    refund = Refund.objects.get().reference
    assert send(*stripe.event("refund.updated", refund)) == 204
    assert stripe.sum_of("charge") == stripe.sum_of("refund") == payment.amount.minor
    later(timedelta(minutes=5))
    looked_at, differences = compare(clock.now() - timedelta(days=1))
    assert (looked_at, differences) == (3, {})


def test_cards_are_charged_as_goods_leave(
    stripe: StripeServer,
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    later: Callable[..., None],
    settings: Any,
) -> None:
    settings.CAPTURE = "at_dispatch"
    sent, cancelled, lapsed = placed(), placed(), placed()
    drain()
    assert {*Order.objects.values_list("status", "authorized_minor")} == {("confirmed", 10500)}
    assert stripe.sum_of("charge") == 0
    intents = dict(Payment.objects.values_list("order", "reference"))
    authorized = stripe.event("payment_intent.amount_capturable_updated", intents[sent])

    dispatch_shipment(shipment_of(sent), "DHL", "1", [(Sku("LAMP"), 1)])
    stripe.lose_response(f"payment_intents/{intents[sent]}/capture")
    drain()
    later(timedelta(minutes=1))
    drain()
    assert stripe.sum_of("charge") == 10500, "only one capture is possible, so the first takes all"
    captured = stripe.event("payment_intent.succeeded", intents[sent])
    assert [send(*event) for event in (captured, authorized, captured)] == [204, 204, 204]
    assert (Payment.objects.get(order=sent).status, Capture.objects.get().status) == ("succeeded", "captured")
    cancel_lines(sent, [(Sku("MUG"), 1)], CancellationReason.BY_BUYER)
    cancel_order(cancelled, CancellationReason.BY_BUYER)
    drain()
    assert stripe.sum_of("refund") == 1250, "what is cancelled after the only capture is refunded"
    assert Payment.objects.get(order=cancelled).status == "voided"

    stripe.lapse(intents[lapsed])
    ended = [stripe.event("payment_intent.canceled", intents[order]) for order in (lapsed, cancelled)]
    assert [send(*event) for event in (*ended, *ended)] == [204] * 4
    drain()
    held = Order.objects.get(pk=lapsed)
    assert (held.payment_status, [hold["reason"] for hold in held.open_holds]) == ("pending", ["awaiting_payment"])
    later(timedelta(minutes=5))
    assert compare(clock.now() - timedelta(days=1))[1] == {}
