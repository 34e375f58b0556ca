"""Checks for planted bugs about payment providers: what is repeated, cancelled and waited for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from unittest import mock

from django.db import transaction

from billing.gateways import Authorized, Charged, OutcomeUnknown, RefundFailed
from billing.gateways.sandbox.adapter import RefundTooHigh, SandboxProvider
from billing.gateways.sandbox.adapter import adapter as sandbox
from billing.gateways.stripe.adapter import adapter as stripe
from integration.domain import clock
from integration.domain.identifiers import PaymentMethodId
from integration.domain.money import Money
from integration.messaging.claim import WAITS, claim
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery
from integration.messaging.wakeups import DeliveryQueue
from tests.billing.stripe_server import StripeServer, stripe_server
from tests.chaos.money_checks import _requested

VISA, TOTAL, HALF = PaymentMethodId("pm_card_visa"), Money("94.50", "USD"), Money("47.25", "USD")
TRANSFER = PaymentMethodId("pm_bank_transfer")
EXTERNAL = DeliveryQueue("billing", True)


@contextmanager
def _server() -> Iterator[StripeServer]:
    with mock.patch.dict(os.environ), stripe_server(os.environ.__setitem__) as server:
        yield server


def a_refund_is_issued_once_however_late_it_is_asked_for_again() -> str | None:
    """A dead letter is replayed after Stripe has forgotten the key of a refund that it issued."""
    with _server() as server:
        charge = stripe.charge("P-1", VISA, TOTAL).outcome
        server.lose_response("refunds")
        with suppress(OutcomeUnknown):
            stripe.refund("F-1", charge.reference, HALF)  # type: ignore[union-attr]
        server.forget_keys()
        with clock.moved(timedelta(days=2)):
            stripe.refund("F-1", charge.reference, HALF)  # type: ignore[union-attr]
        refunded = server.sum_of("refund")
    return None if refunded == HALF.minor else f"{refunded} was refunded instead of {HALF.minor}"


def nothing_is_charged_under_a_cancelled_key() -> str | None:
    """The deadline of a payment passes before its worker has asked Stripe for the money."""
    with _server() as server:
        stripe.cancel("P-1")
        stripe.charge("P-1", VISA, TOTAL)
        charged = server.sum_of("charge")
    return f"{charged} was charged after the deadline" if charged else None


def an_intent_is_known_before_it_is_confirmed() -> str | None:
    """The worker dies after Stripe has charged, and Stripe forgets its key before another worker asks."""
    with _server() as server:
        server.lose_response(f"payment_intents/pi_{1:024}/confirm")
        with suppress(OutcomeUnknown):
            stripe.charge("P-1", VISA, TOTAL)
        found = stripe.find_charge("P-1")
    return None if found and isinstance(found.outcome, Charged) else "a charge is not found by its key"


def a_refund_of_an_authorization_needs_its_capture() -> str | None:
    """Only half of an authorization was captured, and all of it is to be refunded."""
    held = sandbox.charge("P-1", VISA, TOTAL, capture=False).outcome
    assert isinstance(held, Authorized)
    sandbox.capture("C-1", held.reference, HALF)
    with suppress(RefundTooHigh), transaction.atomic():
        sandbox.refund("F-1", held.reference, TOTAL)
        return "more was refunded than captured"
    return None


def disputed_money_is_not_refunded() -> str | None:
    """A charge whose money the bank has withdrawn is refunded."""
    charge = sandbox.charge("P-1", PaymentMethodId("pm_card_createDispute"), TOTAL).outcome
    refund = sandbox.refund("F-1", charge.reference, HALF).outcome  # type: ignore[union-attr]
    return None if isinstance(refund, RefundFailed) else "disputed money was refunded"


def a_cancelled_transfer_takes_no_money_by_itself() -> str | None:
    """A transfer is cancelled at its deadline, and days pass."""
    sandbox.charge("P-1", TRANSFER, TOTAL)
    sandbox.cancel("P-1")
    with clock.moved(timedelta(days=3)):
        found = sandbox.find_charge("P-1")
    return "the money of a cancelled transfer was taken" if found and isinstance(found.outcome, Charged) else None


def no_worker_calls_who_asked_to_wait() -> str | None:
    """The provider asked one worker to wait for an hour, and another worker claims a delivery."""
    _requested()
    busy = OutcomeUnknown("429", timedelta(hours=1))
    with mock.patch.object(SandboxProvider, "charge", side_effect=busy):
        deliver_due(EXTERNAL)
    Delivery.objects.filter(context="billing", external=True).update(due_at=clock.now())
    claims = claim(EXTERNAL, 50)
    return None if claims and claims[0].failures == WAITS else "a worker calls although it should wait"
