"""The sandbox behaves as a provider does: idempotency keys, test payment methods, and lost responses."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from billing.gateways import Booked, Charged, Declined, OutcomeUnknown, PaymentProvider, Refunded, provider
from billing.gateways.sandbox import adapter
from billing.gateways.sandbox.adapter import DECLINES, KeyReused, RefundTooHigh, SandboxProvider
from billing.gateways.sandbox.models import Transaction
from integration.contracts.billing import TEST_METHODS
from integration.domain import clock
from integration.domain.identifiers import PaymentMethodId
from integration.domain.money import Money
from integration.gateways.http import Response
from ordering.models import MAX_TOTAL_MINOR

pytestmark = pytest.mark.django_db

VISA, DECLINED = PaymentMethodId("pm_card_visa"), PaymentMethodId("pm_card_chargeDeclinedInsufficientFunds")
TOTAL = Money("94.50", "USD")

Cut = Callable[..., None]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
REQUEST_LOST, RESPONSE_LOST = (True,), (False, True)
"""Which of the two legs of a call is cut: the way to the provider, or the way back after it charged."""


@pytest.fixture
def sandbox() -> SandboxProvider:
    return SandboxProvider()


@pytest.fixture
def charged(sandbox: SandboxProvider) -> str:
    """The reference of a charge of 94.50 USD."""
    outcome = sandbox.charge("P-1-1", VISA, TOTAL).outcome
    assert isinstance(outcome, Charged)
    return outcome.reference


def _entries() -> int:
    return Transaction.objects.count()


def test_the_tests_use_the_sandbox(settings: Settings) -> None:
    port: PaymentProvider = provider()

    assert isinstance(port, SandboxProvider)
    with pytest.raises(LookupError):
        provider("paypal")


# --- Charging ---


def test_a_good_card_is_charged(sandbox: SandboxProvider) -> None:
    booked = sandbox.charge("P-1-1", VISA, TOTAL)

    assert isinstance(booked.outcome, Charged)
    assert booked.outcome.reference.startswith("ch_")
    assert booked == Booked("P-1-1", booked.outcome, TOTAL)
    assert list(sandbox.books(LONG_AGO)) == [booked]


@pytest.mark.parametrize(("method", "code"), DECLINES.items())
def test_each_declined_card_has_its_own_code(sandbox: SandboxProvider, method: str, code: str) -> None:
    assert sandbox.charge("P-1-1", PaymentMethodId(method), TOTAL) == Booked("P-1-1", Declined(code), TOTAL)


def test_every_test_method_is_accepted_or_declined() -> None:
    assert set(DECLINES) < TEST_METHODS
    assert {method for method in TEST_METHODS if "Declined" in method} == set(DECLINES)


@pytest.mark.parametrize("method", [VISA, DECLINED])
def test_the_same_key_for_the_same_request_charges_once(sandbox: SandboxProvider, method: PaymentMethodId) -> None:
    first = sandbox.charge("P-1-1", method, TOTAL)
    again = sandbox.charge("P-1-1", method, TOTAL)

    assert again == first
    assert _entries() == 1


@pytest.mark.parametrize(
    ("method", "amount"),
    [(VISA, Money("94.51", "USD")), (VISA, Money("94.50", "EUR")), (PaymentMethodId("pm_card_amex"), TOTAL)],
    ids=["amount", "currency", "method"],
)
def test_the_same_key_for_another_request_is_refused(
    sandbox: SandboxProvider, charged: str, method: PaymentMethodId, amount: Money
) -> None:
    with pytest.raises(KeyReused):
        sandbox.charge("P-1-1", method, amount)

    assert list(sandbox.books(LONG_AGO)) == [Booked("P-1-1", Charged(charged), TOTAL)]


def test_two_keys_are_two_charges(sandbox: SandboxProvider) -> None:
    assert sandbox.charge("P-1-1", VISA, TOTAL) != sandbox.charge("P-2-1", VISA, TOTAL)
    assert _entries() == 2


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_the_largest_possible_order_can_be_charged(sandbox: SandboxProvider, currency: str) -> None:
    largest = Money.of_minor(MAX_TOTAL_MINOR, currency)

    assert isinstance(sandbox.charge("P-1-1", VISA, largest).outcome, Charged)
    assert [booked.amount for booked in sandbox.books(LONG_AGO)] == [largest]


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_the_books_are_exact_to_the_last_cent_of_the_largest_amount(sandbox: SandboxProvider, currency: str) -> None:
    amount = Money.of_minor(MAX_TOTAL_MINOR - 1, currency)

    sandbox.charge("P-1-1", VISA, amount)

    assert [booked.amount for booked in sandbox.books(LONG_AGO)] == [amount]


@pytest.mark.parametrize("amount", [Money("0.01", "USD"), Money("1", "JPY"), Money("0.001", "KWD")])
def test_the_smallest_amount_is_charged_exactly(sandbox: SandboxProvider, amount: Money) -> None:
    sandbox.charge("P-1-1", VISA, amount)

    assert [booked.amount for booked in sandbox.books(LONG_AGO)] == [amount]


# --- Reading ---


def test_an_unknown_key_has_no_charge(sandbox: SandboxProvider) -> None:
    assert sandbox.find_charge("P-1-1") is None


def test_a_provider_finds_the_outcome_of_a_key(sandbox: SandboxProvider, charged: str) -> None:
    sandbox.charge("P-2-1", DECLINED, TOTAL)

    assert sandbox.find_charge("P-1-1") == Booked("P-1-1", Charged(charged), TOTAL)
    assert sandbox.find_charge("P-2-1") == Booked("P-2-1", Declined("insufficient_funds"), TOTAL)


def test_a_refund_is_not_found_as_a_charge(sandbox: SandboxProvider, charged: str) -> None:
    sandbox.refund("F-1-1", charged, TOTAL)

    assert sandbox.find_charge("F-1-1") is None
    assert sandbox.find_refund("P-1-1") is None


def test_the_books_contain_charges_declines_and_refunds(sandbox: SandboxProvider, charged: str) -> None:
    sandbox.charge("P-2-1", DECLINED, TOTAL)
    refunded = sandbox.refund("F-1-1", charged, TOTAL)

    books = {booked.key: booked for booked in sandbox.books(clock.now() - timedelta(minutes=1))}

    assert books == {
        "P-1-1": Booked("P-1-1", Charged(charged), TOTAL),
        "P-2-1": Booked("P-2-1", Declined("insufficient_funds"), TOTAL),
        "F-1-1": refunded,
    }
    assert list(sandbox.books(clock.now() + timedelta(minutes=1))) == []


def test_the_books_use_the_clock_that_tests_can_move(sandbox: SandboxProvider) -> None:
    with clock.moved(timedelta(days=-7)):
        sandbox.charge("P-1-1", VISA, TOTAL)

    assert list(sandbox.books(clock.now() - timedelta(days=1))) == []


# --- Lost requests and responses ---


def test_a_lost_request_charges_nothing(sandbox: SandboxProvider, cut_line: Cut) -> None:
    cut_line(*REQUEST_LOST)
    with pytest.raises(OutcomeUnknown):
        sandbox.charge("P-1-1", VISA, TOTAL)

    assert sandbox.find_charge("P-1-1") is None
    assert isinstance(sandbox.charge("P-1-1", VISA, TOTAL).outcome, Charged)
    assert _entries() == 1


def test_a_lost_response_has_charged_and_a_retry_does_not_charge_again(sandbox: SandboxProvider, cut_line: Cut) -> None:
    cut_line(*RESPONSE_LOST)
    with pytest.raises(OutcomeUnknown):
        sandbox.charge("P-1-1", VISA, TOTAL)

    found = sandbox.find_charge("P-1-1")
    assert found
    assert isinstance(found.outcome, Charged)
    assert sandbox.charge("P-1-1", VISA, TOTAL) == found
    assert _entries() == 1


@pytest.mark.parametrize("legs", [REQUEST_LOST, RESPONSE_LOST], ids=["request lost", "response lost"])
def test_a_refund_whose_request_or_response_was_lost_is_issued_once(
    sandbox: SandboxProvider, charged: str, cut_line: Cut, legs: tuple[bool, ...]
) -> None:
    cut_line(*legs)
    with pytest.raises(OutcomeUnknown):
        sandbox.refund("F-1-1", charged, TOTAL)

    reference = sandbox.refund("F-1-1", charged, TOTAL)

    assert sandbox.refund("F-1-1", charged, TOTAL) == reference
    assert Transaction.objects.filter(charge__reference=charged).count() == 1


@pytest.mark.parametrize(
    "ask", [lambda sandbox: sandbox.find_charge("P-1-1"), lambda sandbox: list(sandbox.books(clock.now()))]
)
def test_reading_the_outcome_and_the_books_may_fail(
    sandbox: SandboxProvider, cut_line: Cut, ask: Callable[[Any], object]
) -> None:
    cut_line(*REQUEST_LOST)

    with pytest.raises(OutcomeUnknown):
        ask(sandbox)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    return naps


def test_a_call_waits_for_the_latency_without_an_open_transaction(
    sandbox: SandboxProvider, settings: Settings, slept: list[float]
) -> None:
    settings.SANDBOX_LATENCY = timedelta(milliseconds=300)

    sandbox.charge("P-1-1", VISA, TOTAL)

    assert slept == [0.15, 0.15]
    assert connection.savepoint_ids == []


# --- Refunding ---


def test_a_charge_is_refunded_in_parts_up_to_its_amount(sandbox: SandboxProvider, charged: str) -> None:
    first = sandbox.refund("F-1-1", charged, Money("50", "USD"))
    second = sandbox.refund("F-1-2", charged, Money("44.50", "USD"))

    assert first != second
    with pytest.raises(RefundTooHigh):
        sandbox.refund("F-1-3", charged, Money("0.01", "USD"))
    assert Transaction.objects.filter(charge__reference=charged).count() == 2


def test_a_hundred_small_refunds_add_up_exactly(sandbox: SandboxProvider) -> None:
    outcome = sandbox.charge("P-1-1", VISA, Money("10", "USD")).outcome
    assert isinstance(outcome, Charged)

    for n in range(100):
        sandbox.refund(f"F-1-{n}", outcome.reference, Money("0.10", "USD"))

    with pytest.raises(RefundTooHigh):
        sandbox.refund("F-1-100", outcome.reference, Money("0.01", "USD"))


def test_a_refund_higher_than_the_charge_is_refused_and_its_key_stays_unused(
    sandbox: SandboxProvider, charged: str
) -> None:
    with pytest.raises(RefundTooHigh):
        sandbox.refund("F-1-1", charged, Money("94.51", "USD"))

    assert _entries() == 1
    outcome = sandbox.refund("F-1-1", charged, TOTAL).outcome
    assert isinstance(outcome, Refunded)
    assert outcome.reference.startswith("re_")


def test_a_key_cannot_be_used_for_a_different_refund(sandbox: SandboxProvider, charged: str) -> None:
    sandbox.refund("F-1-1", charged, Money("10", "USD"))

    with pytest.raises(KeyReused):
        sandbox.refund("F-1-1", charged, Money("20", "USD"))
    with pytest.raises(KeyReused):
        sandbox.refund("P-1-1", charged, Money("20", "USD"))


def test_a_declined_charge_is_not_refunded(sandbox: SandboxProvider) -> None:
    sandbox.charge("P-1-1", DECLINED, TOTAL)

    with pytest.raises(Transaction.DoesNotExist):
        sandbox.refund("F-1-1", Transaction.objects.get().reference, TOTAL)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_response_on_the_way_is_an_unknown_outcome(
    sandbox: SandboxProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    settings.SANDBOX_URL = "http://provider.test"
    monkeypatch.setattr(adapter, "request", lambda *args, **kwargs: Response(status, {}, b""))
    with pytest.raises(OutcomeUnknown, match=f"HTTP {status}"):
        sandbox.charge("P-1-1", VISA, TOTAL)


def test_a_response_without_an_error_lets_the_call_through(
    sandbox: SandboxProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SANDBOX_URL = "http://provider.test"
    monkeypatch.setattr(adapter, "request", lambda *args, **kwargs: Response(399, {}, b""))
    assert isinstance(sandbox.charge("P-1-1", VISA, TOTAL).outcome, Charged)
