"""The sandbox plays what takes time: 3-D Secure, transfers, authorizations, disputes, and refunds that fail."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing.commands.sandbox import play_sandbox_provider
from billing.gateways import (
    ActionRequired,
    Authorized,
    Captured,
    Charged,
    Declined,
    Disputed,
    Expired,
    Pending,
    Refunded,
    RefundFailed,
    Voided,
)
from billing.gateways.sandbox.adapter import CaptureTooHigh, RefundTooHigh, SandboxProvider
from billing.gateways.sandbox.courses import CannotPlay
from billing.gateways.sandbox.methods import METHODS
from billing.gateways.sandbox.models import Transaction
from billing.models import Payment, ProviderEvent
from integration.contracts.billing import TEST_METHODS
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, PaymentMethodId
from integration.domain.money import Money
from integration.messaging.deliver import deliver_due
from integration.messaging.wakeups import DeliveryQueue

pytestmark = pytest.mark.django_db

TOTAL, HALF = Money("94.50", "USD"), Money("47.25", "USD")
VISA, SECURE, TRANSFER, DISPUTED, REFUND_FAILS = map(
    PaymentMethodId,
    (
        "pm_card_visa",
        "pm_card_authenticationRequired",
        "pm_bank_transfer",
        "pm_card_createDispute",
        "pm_card_refundFail",
    ),
)


@pytest.fixture
def sandbox() -> SandboxProvider:
    return SandboxProvider()


def outcome(sandbox: SandboxProvider, key: str) -> object:
    booked = sandbox.find_charge(key)
    assert booked is not None
    _, headers = sandbox.call_back(key)
    assert headers
    return booked.outcome


def test_3d_secure_ends_as_the_buyer_does(sandbox: SandboxProvider) -> None:
    for key, what, kind in (
        ("P-1", "complete_action", Charged),
        ("P-2", "fail_action", Declined),
        ("P-3", "expire", Expired),
    ):
        asked = sandbox.charge(key, SECURE, TOTAL)
        assert isinstance(asked.outcome, ActionRequired)
        assert asked.outcome.url.startswith("https://")
        assert isinstance(sandbox.play(key, what).outcome, kind)  # type: ignore[arg-type]
        assert isinstance(sandbox.charge(key, SECURE, TOTAL).outcome, kind)
        with pytest.raises(CannotPlay):
            sandbox.play(key, "complete_action")
    sandbox.charge("P-4", SECURE, TOTAL, capture=False)
    assert isinstance(sandbox.play("P-4", "complete_action").outcome, Authorized)
    sandbox.charge("P-5", SECURE, TOTAL)
    with clock.moved(timedelta(hours=2)):
        assert isinstance(outcome(sandbox, "P-5"), Expired)
        assert sandbox.due_call_backs(9) == ["P-5"]
        sandbox.note_played("P-5")
        assert sandbox.due_call_backs(9) == []


def test_a_transfer_settles_days_later_even_after_it_has_expired(sandbox: SandboxProvider) -> None:
    asked = sandbox.charge("P-1", TRANSFER, TOTAL, capture=False)
    assert isinstance(asked.outcome, Pending)
    with clock.moved(timedelta(days=3)):
        assert outcome(sandbox, "P-1") == Charged(asked.outcome.reference)
    cancelled = sandbox.cancel("P-1")
    assert cancelled
    assert cancelled.outcome == Expired(asked.outcome.reference)
    with clock.moved(timedelta(days=3)):
        assert outcome(sandbox, "P-1") == cancelled.outcome
    assert sandbox.play("P-1", "settle").outcome == Charged(asked.outcome.reference)
    sandbox.charge("P-2", TRANSFER, TOTAL)
    assert sandbox.play("P-2", "fail").outcome == Declined("transfer_failed")


def test_cancelling_takes_back_nothing_and_lets_nothing_come_later(sandbox: SandboxProvider) -> None:
    charged = sandbox.charge("P-1", VISA, TOTAL)
    assert sandbox.cancel("P-1") == charged
    assert [sandbox.cancel("P-2"), sandbox.cancel("P-2")] == [None, None]
    assert isinstance(sandbox.charge("P-2", VISA, TOTAL).outcome, Expired)
    assert sandbox.find_charge("P-2") is None
    assert list(sandbox.books(clock.now() - timedelta(days=1))) == [charged]


def test_an_authorization_is_captured_in_parts_and_the_rest_released(sandbox: SandboxProvider) -> None:
    authorized = sandbox.charge("P-1", VISA, TOTAL, capture=False).outcome
    assert isinstance(authorized, Authorized)
    charge = authorized.reference
    first = sandbox.capture("C-1", charge, HALF)
    assert isinstance(first.outcome, Captured)
    assert first.outcome.charge == charge
    assert sandbox.capture("C-1", charge, HALF) == first == sandbox.find_capture("C-1", charge)
    with pytest.raises(CaptureTooHigh):
        sandbox.capture("C-2", charge, TOTAL)
    with pytest.raises(RefundTooHigh):
        sandbox.refund("F-1", charge, TOTAL)
    assert isinstance(sandbox.refund("F-1", charge, HALF).outcome, Refunded)
    assert isinstance(sandbox.void("V-1", charge).outcome, Authorized)
    assert sandbox.capture("C-3", charge, HALF).outcome == Declined("authorization_expired")
    books = {booked.key: type(booked.outcome) for booked in sandbox.books(clock.now() - timedelta(days=1))}
    assert books == {"P-1": Authorized, "C-1": Captured, "F-1": Refunded}


def test_an_authorization_lapses_or_is_voided(sandbox: SandboxProvider) -> None:
    for key, then in (("P-1", Voided), ("P-2", Expired)):
        authorized = sandbox.charge(key, VISA, TOTAL, capture=False).outcome
        assert isinstance(authorized, Authorized)
        if then is Voided:
            assert sandbox.void("V-1", authorized.reference).outcome == Voided(authorized.reference)
        with clock.moved(timedelta(days=8)):
            assert isinstance(outcome(sandbox, key), then)
            assert isinstance(sandbox.capture(f"C-{key}", authorized.reference, TOTAL).outcome, Declined)


def test_a_dispute_is_won_or_lost_and_its_money_is_not_refunded(sandbox: SandboxProvider) -> None:
    since = clock.now() - timedelta(days=1)
    for key, what, status in (("P-1", "win", "won"), ("P-2", "lose", "lost")):
        charged = sandbox.charge(key, DISPUTED, TOTAL).outcome
        assert isinstance(charged, Charged)
        refused = sandbox.refund(f"F-{key}", charged.reference, HALF).outcome
        assert isinstance(refused, RefundFailed)
        assert refused.code == "charge_disputed"
        disputes = [each.outcome for each in sandbox.books(since) if isinstance(each.outcome, Disputed)]
        opened = next(each for each in disputes if each.charge == charged.reference)
        assert (opened.kind, opened.status, opened.amount) == ("chargeback", "needs_response", TOTAL)
        closed = sandbox.play(key, what)  # type: ignore[arg-type]
        assert isinstance(closed.outcome, Disputed)
        assert (closed.outcome.charge, closed.outcome.status) == (charged.reference, status)
        assert closed.key == closed.outcome.reference
        body, headers = sandbox.call_back(closed.key)
        assert sandbox.read_call_back(body, headers).booked == closed
    visa = sandbox.charge("P-3", VISA, TOTAL)
    inquiry = sandbox.play("P-3", "inquire").outcome
    assert isinstance(inquiry, Disputed)
    assert isinstance(visa.outcome, Charged)
    assert (inquiry.kind, inquiry.status) == ("inquiry", "warning")
    assert isinstance(sandbox.refund("F-3", visa.outcome.reference, HALF).outcome, Refunded)


def test_a_refund_fails_days_later(sandbox: SandboxProvider) -> None:
    charged = sandbox.charge("P-1", REFUND_FAILS, TOTAL).outcome
    assert isinstance(charged, Charged)
    refunded = sandbox.refund("F-1", charged.reference, TOTAL)
    assert isinstance(refunded.outcome, Refunded)
    with clock.moved(timedelta(days=2)):
        failed = sandbox.find_refund("F-1")
        assert failed
        assert failed.outcome == RefundFailed(refunded.outcome.reference, "lost_or_stolen_card")
        assert sandbox.due_call_backs(9) == ["F-1"]
        assert isinstance(sandbox.refund("F-2", charged.reference, TOTAL).outcome, Refunded)
    assert isinstance(sandbox.play("F-1", "fail").outcome, RefundFailed)
    sandbox.charge("P-2", VISA, TOTAL)
    reference = Transaction.objects.get(pk="P-2").reference
    sandbox.refund("F-3", reference, HALF)
    assert isinstance(sandbox.play("F-3", "fail").outcome, RefundFailed)
    assert isinstance(sandbox.refund("F-4", reference, TOTAL).outcome, Refunded)


def test_every_test_method_is_known(sandbox: SandboxProvider) -> None:
    assert set(METHODS) >= TEST_METHODS
    transfer = sandbox.find_method(TRANSFER)
    assert transfer
    assert transfer.is_delayed
    assert sandbox.find_method(PaymentMethodId("pm_nobody")) is None


def test_what_changes_by_itself_is_called_back_once(
    sandbox: SandboxProvider, placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    placed()
    drain("inventory")
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    payment = Payment.objects.get()
    sandbox.charge(payment.idempotency_key, TRANSFER, payment.amount)
    sandbox.charge("P-of-nobody", TRANSFER, TOTAL)
    play_sandbox_provider(10)
    assert not ProviderEvent.objects.exists()
    with clock.moved(timedelta(days=3)):
        for _ in range(2):
            play_sandbox_provider(10)
    assert ProviderEvent.objects.count() == 1
    assert Payment.objects.get().status == "succeeded"
