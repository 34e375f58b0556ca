"""After a payment has failed, a buyer may try another method until the deadline, where the shop allows it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing.commands import number_documents, refund_in_part, settle_payment, settle_refund
from billing.gateways import Booked, Charged, RefundFailed
from billing.gateways.sandbox.adapter import SandboxProvider
from billing.gateways.sandbox.models import Transaction
from billing.models import Invoice, Payment, Refund, invoice_of, payment_of
from config.verification import verify
from integration.domain.identifiers import OrderNumber, PaymentId, PaymentMethodId, RefundId
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from integration.messaging.models import Message
from integration.read_models.catch_up import catch_up_all
from ordering.commands import UnknownPaymentMethod, cancel_order, try_another_payment
from ordering.models import CancellationReason, Order
from ordering.models.order_payment import NothingToRetry
from ordering.policies.saga import cancel_overdue_orders
from ordering.queries import order_board

pytestmark = pytest.mark.django_db

Drain = Callable[..., int]
Placed = Callable[..., OrderNumber]
Later = Callable[[timedelta], None]
RETRY = timedelta(hours=2)
DECLINED, VISA = PaymentMethodId("pm_card_chargeDeclined"), PaymentMethodId("pm_card_visa")
TRANSFER = PaymentMethodId("pm_bank_transfer")


@pytest.fixture(autouse=True)
def retry(settings: Any) -> None:
    settings.PAYMENT_RETRY = RETRY


@pytest.fixture
def declined(placed: Placed, drain: Drain) -> OrderNumber:
    """An order whose first payment was declined."""
    number = placed(method=DECLINED)
    drain()
    return number


@pytest.fixture
def assert_valid(compare_rows_with_history: Callable[[], set[str]]) -> Callable[[], None]:
    """A function that checks every invariant, also of rows and their histories."""

    def check() -> None:
        number_documents()
        catch_up_all()
        compare_rows_with_history()
        assert [what for finding in verify().values() for what in finding.complaints] == []

    return check


def state(number: OrderNumber) -> tuple[str, str, str, list[str]]:
    order = Order.objects.get(pk=number)
    payments = Payment.objects.filter(order=number).order_by("id")
    return (order.status, order.cancellation_reason, order.payment_status, [payment.status for payment in payments])


def arrive(payment: PaymentId, reference: str) -> None:
    """Let the provider report that a payment brought its money after all."""
    ours = Payment.objects.get(pk=payment)
    Transaction.objects.filter(pk=ours.idempotency_key).update(reference=reference, decline_code="")
    settle_payment(payment, Booked(ours.idempotency_key, Charged(reference), ours.amount))


def test_an_order_whose_payment_failed_waits_and_is_paid_by_another_method(
    declined: OrderNumber, drain: Drain, assert_valid: Callable[[], None]
) -> None:
    assert state(declined) == ("payment_pending", "", "failed", ["failed"])
    assert_valid()
    try_another_payment(declined, VISA)
    assert Order.objects.get().payment_status == "pending"
    drain()
    assert state(declined) == ("confirmed", "", "paid", ["failed", "succeeded"])
    order, invoice = Order.objects.get(), Invoice.objects.get()
    assert (order.payment_method, invoice.payment_method, invoice.paying) == (VISA, VISA, payment_of(declined, 2))
    keys = Payment.objects.values_list("key", flat=True)
    assert len({*keys}) == 2
    refund_in_part(invoice_of(declined), Money("5", "USD"), "scratched")
    drain()
    refund = Refund.objects.get()
    assert (refund.payment_id, refund.status) == (payment_of(declined, 2), "issued")
    assert_valid()
    (row,) = order_board()
    assert (row.payment_method, row.payment_status) == (VISA, "partly_refunded")


def test_nobody_who_does_not_choose_another_method_keeps_the_goods(
    declined: OrderNumber, drain: Drain, later: Later, assert_valid: Callable[[], None]
) -> None:
    later(RETRY - timedelta(minutes=1))
    cancel_overdue_orders()
    assert state(declined)[0] == "payment_pending"
    later(timedelta(minutes=2))
    with pytest.raises(NothingToRetry):
        try_another_payment(declined, VISA)
    cancel_overdue_orders()
    drain()
    assert state(declined) == ("cancelled", "payment_failed", "failed", ["failed"])
    assert Order.objects.get().note == "generic_decline"
    assert_valid()


def test_each_try_is_declined_and_the_deadline_stays_that_of_the_first(
    declined: OrderNumber, drain: Drain, later: Later
) -> None:
    due = Order.objects.get().payment_due_at
    for _ in range(3):
        later(timedelta(minutes=5))
        try_another_payment(declined, DECLINED)
        drain()
    assert state(declined) == ("payment_pending", "", "failed", ["failed"] * 4)
    assert Order.objects.get().payment_due_at == due


def test_only_a_failed_payment_is_tried_again_and_with_a_known_method(
    declined: OrderNumber, placed: Placed, drain: Drain
) -> None:
    with pytest.raises(UnknownPaymentMethod):
        try_another_payment(declined, PaymentMethodId("pm_card_unknown"))
    try_another_payment(declined, TRANSFER)
    with pytest.raises(NothingToRetry):
        try_another_payment(declined, VISA)
    drain()
    assert state(declined) == ("payment_pending", "", "pending", ["failed", "pending"])
    with pytest.raises(NothingToRetry):
        try_another_payment(declined, VISA)
    confirmed = placed()
    drain()
    with pytest.raises(NotAllowed):
        try_another_payment(confirmed, VISA)


def test_a_transfer_as_the_second_method_moves_the_deadline_and_ends_the_order_if_it_does_not_come(
    declined: OrderNumber, drain: Drain, later: Later, assert_valid: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    try_another_payment(declined, TRANSFER)
    drain()
    assert_valid()
    monkeypatch.setattr(SandboxProvider, "cancel", lambda self, key: None)
    later(timedelta(days=60))
    cancel_overdue_orders()
    drain()
    assert state(declined) == ("cancelled", "payment_timeout", "cancelled", ["failed", "expired"])
    assert_valid()


def test_a_cancelled_order_cancels_the_second_payment_that_waits(
    declined: OrderNumber, drain: Drain, assert_valid: Callable[[], None]
) -> None:
    try_another_payment(declined, TRANSFER)
    drain()
    cancel_order(declined, CancellationReason.BY_BUYER)
    drain()
    assert state(declined) == ("cancelled", "by_buyer", "cancelled", ["failed", "expired"])
    assert_valid()


def test_a_try_that_comes_after_the_cancellation_takes_no_money(
    declined: OrderNumber, drain: Drain, assert_valid: Callable[[], None]
) -> None:
    try_another_payment(declined, VISA)
    cancel_order(declined, CancellationReason.BY_BUYER)
    drain()
    order, invoice = Order.objects.get(), Invoice.objects.get()
    assert (order.status, order.paid) == ("cancelled", order.refunded)
    assert (invoice.paid, invoice.surplus_minor) == (invoice.refunded, 0)
    assert_valid()


def test_money_that_comes_late_settles_the_order_and_no_other_payment_is_requested(
    declined: OrderNumber, drain: Drain, assert_valid: Callable[[], None]
) -> None:
    try_another_payment(declined, VISA)
    arrive(payment_of(declined), "ch_late")
    drain()
    assert state(declined) == ("confirmed", "", "paid", ["succeeded"])
    assert_valid()


def test_an_order_that_is_paid_twice_gets_the_surplus_back(
    declined: OrderNumber, drain: Drain, assert_valid: Callable[[], None]
) -> None:
    first = payment_of(declined)
    try_another_payment(declined, VISA)
    drain()
    arrive(first, "ch_late")
    order, invoice = Order.objects.get(), Invoice.objects.get()
    assert (order.status, order.paid) == ("confirmed", order.total)
    assert (invoice.paid, invoice.surplus) == (order.total, order.total)
    drain()
    invoice, refund = Invoice.objects.get(), Refund.objects.get()
    assert (invoice.paid, invoice.refunded_minor, invoice.surplus_minor) == (order.total, 0, 0)
    assert (refund.payment_id, refund.amount, refund.status) == (first, order.total, "issued")
    assert not Message.objects.filter(name="billing.refund-issued").exists()
    settle_refund_as_failed(refund)
    assert Invoice.objects.get().surplus == order.total
    drain()
    assert_valid()


def settle_refund_as_failed(refund: Refund) -> None:
    failed = Booked(refund.key, RefundFailed(refund.reference, "account_closed"), refund.amount)
    settle_refund(RefundId(refund.id), failed)


def test_without_a_time_for_another_try_a_declined_payment_cancels_at_once(
    settings: Any, placed: Placed, drain: Drain
) -> None:
    settings.PAYMENT_RETRY = timedelta(0)
    number = placed(method=DECLINED)
    drain()
    assert state(number) == ("cancelled", "payment_failed", "failed", ["failed"])
    with pytest.raises(NotAllowed):
        try_another_payment(number, VISA)
