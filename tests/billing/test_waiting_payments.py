"""Payments that wait for the buyer or their bank: the order waits as long, and only the provider's word ends them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from billing.commands import settle_payment
from billing.gateways import ActionRequired, Booked, Charged, Declined, Expired, Pending
from billing.gateways.sandbox.adapter import SandboxProvider
from billing.models import Discrepancy, Invoice, Payment
from integration.domain import clock
from integration.domain.errors import OutcomeUnknown
from integration.domain.identifiers import OrderNumber, PaymentId
from integration.domain.money import Money
from integration.invariants import invariants
from integration.messaging.models import Message
from integration.read_models.catch_up import catch_up_all
from ordering.commands import cancel_order
from ordering.models import CancellationReason, Order
from ordering.policies.saga import cancel_overdue_orders

pytestmark = pytest.mark.django_db

Drain = Callable[..., int]
Later = Callable[[timedelta], None]
DAYS, SETTLES = timedelta(days=1), timedelta(days=7)


class Bank:
    """The provider's entry of one payment, as the bank and the buyer change it."""

    def __init__(self) -> None:
        self.outcome: Any = None
        self.cancelled = 0
        self.is_away = False
        self.short = Money.zero("USD")

    def booked(self, key: str) -> Booked:
        if self.is_away:
            raise OutcomeUnknown
        return Booked(key, self.outcome, Payment.objects.get(key=key).amount - self.short)

    def cancel(self, key: str) -> Booked:
        self.cancelled += not self.is_away
        if isinstance(self.outcome, ActionRequired | Pending) and not self.is_away:
            self.outcome = Expired("ch_1")
        return self.booked(key)

    def says(self, outcome: Any) -> None:
        """Let the outcome change, and notify us of it."""
        self.outcome = outcome
        payment = Payment.objects.get()
        settle_payment(PaymentId(payment.id), self.booked(payment.idempotency_key))


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    bank = Bank()
    monkeypatch.setattr(SandboxProvider, "charge", lambda self, key, *args, **how: bank.booked(key))
    monkeypatch.setattr(SandboxProvider, "cancel", lambda self, key: bank.cancel(key), raising=False)
    monkeypatch.setattr(SandboxProvider, "find_charge", lambda self, key: bank.booked(key))
    return bank


@pytest.fixture
def check_all(compare_rows_with_history: Callable[[], set[str]]) -> Callable[[], None]:
    """A function that checks every invariant, also of rows and their histories."""

    def check() -> None:
        catch_up_all()
        compare_rows_with_history()
        assert {name: found for name, each in invariants.items() if (found := each.check().offenders)} == {}

    return check


@pytest.fixture
def pending(bank: Bank, placed: Callable[..., OrderNumber], drain: Drain) -> OrderNumber:
    """An order whose money is on its way for seven days."""
    bank.outcome = Pending("ch_1", clock.now() + SETTLES)
    order = placed()
    drain()
    return order


def end() -> tuple[str, str, str, str]:
    order, payment = Order.objects.get(), Payment.objects.get()
    return order.status, order.cancellation_reason, order.payment_status, payment.status


def test_a_transfer_settles_after_the_deadline_of_cards_and_still_confirms(
    pending: OrderNumber, bank: Bank, drain: Drain, later: Later, check_all: Callable[[], None]
) -> None:
    assert end() == ("payment_pending", "", "pending", "pending")
    later(2 * DAYS)
    cancel_overdue_orders()
    drain()
    check_all()
    bank.says(Charged("ch_1"))
    drain()
    assert end() == ("confirmed", "", "paid", "succeeded")
    check_all()


def test_a_transfer_that_does_not_come_is_ended_by_the_provider_and_cancels_the_order(
    pending: OrderNumber, bank: Bank, drain: Drain, later: Later, check_all: Callable[[], None]
) -> None:
    later(SETTLES)
    bank.is_away = True
    for _ in range(2):
        cancel_overdue_orders()
    drain()
    assert (end()[0], Message.objects.filter(name="ordering.payment-overdue").count()) == ("payment_pending", 1)
    check_all()
    bank.is_away = False
    later(timedelta(hours=1))
    drain()
    assert end() == ("cancelled", "payment_timeout", "cancelled", "expired")
    check_all()
    bank.says(Charged("ch_1"))
    drain()
    invoice = Invoice.objects.get()
    assert (invoice.paid, invoice.refund_owed) == (invoice.total, invoice.total)


def test_money_that_came_before_the_provider_was_asked_confirms_at_the_deadline(
    pending: OrderNumber, bank: Bank, drain: Drain, later: Later, check_all: Callable[[], None]
) -> None:
    later(SETTLES)
    bank.outcome = Charged("ch_1")  # and its callback is lost
    cancel_overdue_orders()
    drain()
    assert end() == ("confirmed", "", "paid", "succeeded")
    check_all()


def test_a_transfer_that_pays_less_keeps_waiting_with_a_task(
    pending: OrderNumber, bank: Bank, drain: Drain, later: Later, check_all: Callable[[], None]
) -> None:
    bank.short = Money("1.00", "USD")
    bank.says(Charged("ch_1"))
    later(SETTLES)
    cancel_overdue_orders()
    drain()
    assert end() == ("payment_pending", "", "pending", "pending")
    assert Discrepancy.objects.get().subject == Payment.objects.get().id
    check_all()
    cancel_order(pending, CancellationReason.BY_OPERATOR)
    drain()
    assert end()[0] == "cancelled"
    check_all()


def test_a_later_deadline_is_asked_about_again(pending: OrderNumber, bank: Bank, drain: Drain, later: Later) -> None:
    later(SETTLES)
    bank.says(Pending("ch_1", clock.now() + DAYS))
    cancel_overdue_orders()  # the news is on its way
    drain()
    assert bank.cancelled == 0
    later(DAYS)
    cancel_overdue_orders()
    drain()
    assert (bank.cancelled, end()[0]) == (1, "cancelled")


def test_a_cancelled_order_has_its_payment_cancelled_at_the_provider(
    pending: OrderNumber, bank: Bank, drain: Drain, check_all: Callable[[], None]
) -> None:
    cancel_order(pending, CancellationReason.BY_BUYER)
    drain()
    assert end() == ("cancelled", "by_buyer", "cancelled", "expired")
    assert bank.cancelled == 1
    check_all()


def test_a_payment_of_a_cancelled_order_that_turns_out_to_wait_is_cancelled(
    bank: Bank, placed: Callable[..., OrderNumber], drain: Drain, later: Later, check_all: Callable[[], None]
) -> None:
    bank.is_away = True
    order = placed()
    drain()
    cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    assert end()[3] == "unknown"
    bank.is_away = False
    bank.says(Pending("ch_1", clock.now() + SETTLES))
    drain()
    assert (bank.cancelled, end()[3]) == (1, "expired")
    check_all()


def test_the_order_shows_what_the_buyer_must_do_until_they_did_it(
    bank: Bank, placed: Callable[..., OrderNumber], drain: Drain, check_all: Callable[[], None]
) -> None:
    until = clock.now() + timedelta(hours=1)
    bank.outcome = ActionRequired("ch_1", "redirect", until, "https://bank.example/1")
    order = placed()
    drain()
    assert end() == ("payment_pending", "", "action_required", "action")
    assert Order.objects.get().payment_due_at == until
    assert "bank.example" not in "".join(map(str, Message.objects.values_list("data", flat=True)))
    check_all()
    bank.says(Charged("ch_1"))
    drain()
    assert (order, *end()[2:]) == (Order.objects.get().number, "paid", "succeeded")
    assert Payment.objects.get().next_action is None
    check_all()


def test_a_buyer_who_fails_at_their_bank_has_not_paid(
    bank: Bank, placed: Callable[..., OrderNumber], drain: Drain, check_all: Callable[[], None]
) -> None:
    bank.outcome = ActionRequired("ch_1", "redirect", clock.now() + timedelta(hours=1), "https://bank.example/1")
    placed()
    drain()
    bank.says(Declined("authentication_failed"))
    drain()
    assert end() == ("cancelled", "payment_failed", "failed", "failed")
    check_all()
