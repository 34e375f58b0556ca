"""The provider's callbacks: the signature authenticates each, and each is processed once, whenever it arrives."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.events import PaymentSucceeded
from billing.gateways import ForgedCallBack, signatures
from billing.gateways.sandbox.adapter import SIGNATURE_HEADER, adapter
from billing.models import History, Invoice, Payment, ProviderEvent
from integration.aggregates.direct_writes import bypassing_history
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, PaymentMethodId
from integration.messaging.deliver import deliver_due
from integration.messaging.wakeups import DeliveryQueue
from ordering.models import Order

BODY = b'{"id":"evt_1"}'


def now() -> int:
    return int(clock.now().timestamp())


def send(body: bytes, headers: Mapping[str, str]) -> Any:
    return APIClient().post("/api/v1/webhooks/payments/sandbox", body, content_type="application/json", headers=headers)


@pytest.fixture
def requested(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> Payment:
    """A requested payment; the provider was not asked for it yet."""
    placed()
    drain("inventory")
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    return Payment.objects.get()


def charge_and_call_back(payment: Payment) -> tuple[bytes, dict[str, str]]:
    """Let the provider take the money; returns the body and the headers of its callback."""
    adapter.charge(payment.idempotency_key, PaymentMethodId(payment.method), payment.amount)
    return adapter.call_back(payment.idempotency_key)


def test_a_signature_is_accepted_with_either_of_two_secrets() -> None:
    signatures.check(BODY, signatures.sign(BODY, "old", now()), ["new", "old"])


def test_the_sandbox_signs_with_the_first_secret(requested: Payment, settings: Any) -> None:
    settings.SANDBOX_WEBHOOK_SECRETS = ["new", "old"]
    body, headers = charge_and_call_back(requested)
    signatures.check(body, headers[SIGNATURE_HEADER], ["new"])


@pytest.mark.parametrize("header", ["", "t=1", "v1=aa", "t=x,v1=aa", "t=1,t=2,v1=aa", "t=99999999999999,v1=aa"])
def test_a_malformed_signature_is_refused(header: str) -> None:
    with pytest.raises(ForgedCallBack):
        signatures.check(BODY, header, ["secret"])


def test_another_body_another_secret_and_no_secret_are_refused() -> None:
    header = signatures.sign(BODY, "secret", now())
    for body, secrets in ((BODY + b" ", ["secret"]), (BODY, ["other"]), (BODY, []), (BODY, [""])):
        with pytest.raises(ForgedCallBack):
            signatures.check(body, header, secrets)


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_signature_is_good_for_five_minutes(age: timedelta) -> None:
    header = signatures.sign(BODY, "secret", now())
    with clock.moved(age), pytest.raises(ForgedCallBack):
        signatures.check(BODY, header, ["secret"])


def test_a_call_back_before_our_own_request_settles_the_payment(requested: Payment, drain: Callable[..., int]) -> None:
    assert send(*charge_and_call_back(requested)).status_code == 204
    assert Payment.objects.get().status == "succeeded"
    settled = History.objects.get(stream="payment", name=PaymentSucceeded.wire_name)
    assert (settled.actor, settled.causation_id) == ("payment provider", None)
    drain()
    assert Order.objects.get().status == "confirmed"


def test_a_repeated_call_back_is_processed_once(requested: Payment, drain: Callable[..., int]) -> None:
    body, headers = charge_and_call_back(requested)
    drain()
    assert [send(body, headers).status_code for _ in range(3)] == [204, 204, 204]
    assert ProviderEvent.objects.count() == 1
    assert Invoice.objects.get().paid == Invoice.objects.get().total


def test_a_forged_call_back_changes_nothing(requested: Payment) -> None:
    body, headers = charge_and_call_back(requested)
    response = send(body.replace(b"charged", b"declined"), headers)
    assert (response.status_code, response.json()["type"]) == (400, "urn:waybill:problem:not_signed")
    assert Payment.objects.get().status == "requested"
    assert not ProviderEvent.objects.exists()


def test_a_call_back_about_another_amount_is_refused(requested: Payment) -> None:
    with bypassing_history():
        Payment.objects.update(amount_minor=1)
    body, headers = charge_and_call_back(requested)
    with bypassing_history():
        Payment.objects.update(amount_minor=2)
    assert send(body, headers).status_code == 409
    assert Payment.objects.get().status == "requested"


def test_a_call_back_of_an_unknown_provider_is_not_found(db: None) -> None:
    assert APIClient().post("/api/v1/webhooks/payments/nobody", {}, format="json").status_code == 404
