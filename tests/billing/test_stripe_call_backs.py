"""Stripe's events: each kind is read or ignored knowingly, forged ones and those of the other mode are refused."""

import json
from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing.gateways import ForgedCallBack, UnreadableCallBack
from billing.gateways.stripe.adapter import SIGNATURE_HEADER, adapter
from billing.gateways.stripe.call_backs import EVENTS
from billing.gateways.stripe.configuration import configuration
from integration.domain import clock
from integration.gateways import signatures
from tests.billing.stripe_server import SECRET

INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 9450,
    "amount_received": 9450,
    "currency": "usd",
    "created": 1_800_000_000,
    "latest_charge": "ch_1",
    "metadata": {"waybill_key": "P-1"},
    "status": "succeeded",
}
REFUND = {
    "id": "re_1",
    "object": "refund",
    "amount": 9450,
    "currency": "usd",
    "status": "pending",
    "metadata": {"waybill_key": "F-1"},
}
DISPUTE = {
    "id": "dp_1",
    "object": "dispute",
    "amount": 9450,
    "currency": "usd",
    "status": "needs_response",
    "payment_intent": "pi_1",
    "charge": "ch_1",
    "evidence_details": {"due_by": 1_800_000_000},
}


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name, value in {
        "SECRET_KEY": "sk_test_0123456789",
        "PUBLISHABLE_KEY": "pk_test_0123456789",
        "WEBHOOK_SECRETS": f"whsec_before0123456789,{SECRET}",
        "RETURN_URL": "https://shop.example/paid",
    }.items():
        monkeypatch.setenv(f"STRIPE_{name}", value)
    configuration.cache_clear()
    yield monkeypatch
    configuration.cache_clear()


def read(event: object, secret: str = SECRET) -> object:
    body = json.dumps(event).encode()
    return adapter.read_call_back(body, {SIGNATURE_HEADER: signatures.sign(body, secret, int(clock.now().timestamp()))})


def event(kind: str, thing: object, **changes: object) -> dict[str, object]:
    whole = {"id": "evt_1", "object": "event", "type": kind, "livemode": False, "data": {"object": thing}}
    return {**whole, **changes}


def test_every_kind_is_read_or_ignored_knowingly() -> None:
    assert len(EVENTS) >= 30
    things = {"payment_intent": INTENT, "refund": REFUND, "charge.refund": REFUND, "charge.dispute": DISPUTE}
    for kind, reader in EVENTS.items():
        thing = things.get(kind.rpartition(".")[0], {"id": "x"})
        call_back = read(event(kind, thing))
        assert (call_back.booked is None) == (reader.__name__ == "_ignore"), kind  # type: ignore[attr-defined]


def test_what_is_not_ours_is_ignored() -> None:
    for kind, thing in (
        ("payment_intent.succeeded", {**INTENT, "metadata": {}}),
        ("payment_intent.created", {**INTENT, "status": "requires_confirmation"}),
        ("payment_intent.processing", {**INTENT, "status": "requires_confirmation"}),
        ("refund.updated", {**REFUND, "metadata": {}}),
        ("invoice.paid", {"id": "in_1"}),
    ):
        assert read(event(kind, thing)).booked is None  # type: ignore[attr-defined]


def test_forged_and_unreadable_events_are_refused() -> None:
    whole = event("payment_intent.succeeded", INTENT)
    assert read(whole, "whsec_before0123456789")
    with pytest.raises(ForgedCallBack):
        read(whole, "whsec_another0123456789")
    for broken in (
        {**whole, "livemode": True},
        [],
        {},
        {**whole, "data": {}},
        {**whole, "data": {"object": []}},
        event("payment_intent.succeeded", {**INTENT, "amount": "x"}),
        event("payment_intent.succeeded", {**INTENT, "currency": "xyz"}),
        event("payment_intent.succeeded", {**INTENT, "currency": None}),
        event("refund.updated", {**REFUND, "status": None, "amount": None}),
        event("charge.dispute.created", {"id": "dp_1"}),
        event("payment_intent.succeeded", {**INTENT, "metadata": ["x"]}),
        event("payment_intent.succeeded", {**INTENT, "metadata": {"waybill_key": "x" * 500}}),
        event("payment_intent.succeeded", {**INTENT, "id": "\0"}),
    ):
        with pytest.raises(UnreadableCallBack):
            read(broken)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECRET_KEY", "", "STRIPE_SECRET_KEY must be a key of Stripe, such as sk_test_"),
        ("SECRET_KEY", "pk_test_0123456789", "STRIPE_SECRET_KEY must be a key"),
        ("SECRET_KEY", "sk_live_0123456789", "is a live key, and STRIPE_MODE is test"),
        ("PUBLISHABLE_KEY", "pk_live_0123456789", "is a live key, and STRIPE_MODE is test"),
        ("MODE", "live", "is a test key, and STRIPE_MODE is live"),
        ("MODE", "both", "STRIPE_MODE must be test or live"),
        ("WEBHOOK_SECRETS", "", "STRIPE_WEBHOOK_SECRETS must be"),
        ("WEBHOOK_SECRETS", "sk_test_0123456789", "STRIPE_WEBHOOK_SECRETS must be"),
        ("RETURN_URL", "shop", "STRIPE_RETURN_URL must be a URL"),
        ("API", "ftp://x", "STRIPE_API must be a URL"),
    ],
)
def test_a_wrong_key_is_refused_with_one_sentence(
    configured: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    configured.setenv(f"STRIPE_{name}", value)
    configuration.cache_clear()
    with pytest.raises(ImproperlyConfigured, match=says):
        configuration()
