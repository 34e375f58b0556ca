"""What the provider has is recorded only if it is what was requested, whichever way it becomes known."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from rest_framework.test import APIClient

from billing.commands import differences, settle_discrepancy
from billing.gateways.sandbox.adapter import SandboxProvider, adapter
from billing.gateways.sandbox.models import Transaction
from billing.models import Discrepancy, Invoice, Payment, Refund
from billing.reconciliation import Report, reconcile
from config.verification import verify
from integration.aggregates.direct_writes import bypassing_history
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, PaymentMethodId
from integration.domain.money import Money
from integration.messaging.claim import claim
from integration.messaging.consumers import consumers
from integration.messaging.deliver import deliver_due
from integration.messaging.external import CallTimedOut
from integration.messaging.models import Delivery
from integration.messaging.outcomes import record_failure
from integration.messaging.wakeups import DeliveryQueue
from ordering.commands import cancel_order
from ordering.models import CancellationReason, Order
from tests.questions import submit

VISA = PaymentMethodId("pm_card_visa")
EXTERNAL = DeliveryQueue("billing", True)
HOUR = timedelta(hours=1)

Placed = Callable[..., OrderNumber]
Drain = Callable[..., int]
Later = Callable[[timedelta], None]

pytestmark = pytest.mark.django_db


def in_transaction(context: str) -> None:
    while deliver_due(DeliveryQueue(context, False)):
        pass


@pytest.fixture
def requested(placed: Placed, drain: Drain) -> Payment:
    """A requested payment of 105 USD; the provider was not asked for it yet."""
    return request_payment(placed, drain)


def request_payment(placed: Placed, drain: Drain, **order: Any) -> Payment:
    number = placed(**order)
    drain("inventory")
    in_transaction("ordering")
    in_transaction("billing")
    return Payment.objects.get(order=number)


@pytest.fixture
def to_refund(placed: Placed, drain: Drain) -> Refund:
    """A requested refund of 105 USD; the provider was not asked for it yet."""
    order = placed()
    drain()
    cancel_order(order, CancellationReason.BY_BUYER)
    drain("fulfillment", "ordering", "inventory")
    in_transaction("billing")
    return Refund.objects.get()


def ask_again(row: Payment | Refund) -> None:
    deliver_due(EXTERNAL)


def look_up(row: Payment | Refund) -> None:
    with bypassing_history():
        Payment.objects.filter(pk=row.pk).update(status="unknown")
    deliver_due(EXTERNAL)


def call_back(row: Payment | Refund) -> None:
    body, headers = adapter.call_back(row.idempotency_key)
    path = "/api/v1/webhooks/payments/sandbox"
    response = APIClient().post(path, body, content_type="application/json", headers=headers)
    assert response.status_code == 409, "the provider must not take it for processed"
    assert response.json()["type"] == "urn:waybill:problem:books_differ"


def reconcile_an_hour_later(row: Payment | Refund) -> None:
    look_at_the_books()


def look_at_the_books(later: timedelta = HOUR) -> Report:
    with clock.moved(later):
        return reconcile(clock.now() - timedelta(days=1))


WAYS = [look_up, call_back, reconcile_an_hour_later]
WRONG = {
    "amount": lambda entry: entry.update(amount_minor=100),
    "a cent less": lambda entry: entry.update(amount_minor=10_499),
    "currency": lambda entry: entry.update(currency="EUR"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_charge_of_another_amount_pays_nothing(
    requested: Payment, drain: Drain, way: Callable[[Any], None], wrong: str
) -> None:
    adapter.charge(requested.idempotency_key, VISA, requested.amount)
    WRONG[wrong](Transaction.objects.all())

    way(requested)
    drain("ordering")

    assert Discrepancy.objects.get().finding.startswith("we have 105.00 USD, the provider ")
    assert Discrepancy.objects.get().subject == requested.id
    assert Payment.objects.get().status in ("requested", "unknown")
    assert (Order.objects.get().status, Invoice.objects.get().status) == ("payment_pending", "open")


@pytest.mark.parametrize("wrong", WRONG)
def test_a_response_with_another_amount_pays_nothing(
    requested: Payment, drain: Drain, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge = SandboxProvider.charge

    def charge_another(self: SandboxProvider, *request: Any) -> Any:
        charge(self, *request)
        WRONG[wrong](Transaction.objects.all())
        return adapter.find_charge(requested.idempotency_key)

    monkeypatch.setattr(SandboxProvider, "charge", charge_another)
    drain("billing", "ordering")

    assert Payment.objects.get().status == "requested"
    assert Discrepancy.objects.get().subject == requested.id
    assert Order.objects.get().status == "payment_pending"


@pytest.mark.parametrize("way", [ask_again, call_back, reconcile_an_hour_later])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_refund_of_another_amount_is_not_issued(
    to_refund: Refund, way: Callable[[Any], None], wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter.refund(to_refund.idempotency_key, to_refund.payment.reference, to_refund.amount)
    WRONG[wrong](Transaction.objects.filter(key=to_refund.idempotency_key))
    found = adapter.find_refund(to_refund.idempotency_key)
    monkeypatch.setattr(SandboxProvider, "refund", lambda *request: found)

    way(to_refund)

    assert Refund.objects.get().status == "requested"
    assert Discrepancy.objects.get().subject == to_refund.id
    assert Invoice.objects.get().refunded == Money.zero("USD")


@pytest.mark.parametrize("way", WAYS)
def test_one_charge_pays_one_invoice(placed: Placed, drain: Drain, way: Callable[[Any], None]) -> None:
    placed(buyer="B-1")
    drain()
    (first,) = Payment.objects.all()
    second = request_payment(placed, drain, buyer="B-2")
    adapter.charge(second.idempotency_key, VISA, second.amount)
    Transaction.objects.filter(key=first.idempotency_key).delete()
    Transaction.objects.filter(key=second.idempotency_key).update(reference=first.reference)

    way(second)

    assert Payment.objects.get(pk=second.pk).status in ("requested", "unknown")
    assert Discrepancy.objects.get(pk=second.pk).finding == (
        f"the provider's reference {first.reference} is that of {first.pk}"
    )


def test_a_response_with_the_reference_of_another_payment_pays_nothing(placed: Placed, drain: Drain) -> None:
    placed(buyer="B-1")
    drain()
    (first,) = Payment.objects.all()
    second = request_payment(placed, drain, buyer="B-2")
    adapter.charge(second.idempotency_key, VISA, second.amount)
    Transaction.objects.filter(key=first.idempotency_key).delete()
    Transaction.objects.filter(key=second.idempotency_key).update(reference=first.reference)

    deliver_due(EXTERNAL)

    assert Payment.objects.get(pk=second.pk).status == "requested"
    assert "one_payment_a_charge" in Delivery.objects.get(status="pending", consumer="billing.collect-payment").error


def test_the_database_refuses_a_reference_that_comes_twice(placed: Placed, drain: Drain) -> None:
    orders = [placed(buyer=f"B-{n}") for n in range(2)]
    drain()
    for order in orders:
        cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    for model in (Payment, Refund):
        first, second = model.objects.order_by("pk")
        with bypassing_history():
            with pytest.raises(IntegrityError), transaction.atomic():
                model.objects.filter(pk=second.pk).update(reference=first.reference)
            model.objects.filter(pk__in=[first.pk, second.pk]).update(key="")
            model.objects.filter(pk=second.pk).update(reference=first.reference)  # as older code may have stored them


@pytest.mark.parametrize("kind", ["payment", "refund"])
def test_a_second_charge_or_refund_under_another_reference_is_a_task(placed: Placed, drain: Drain, kind: str) -> None:
    order = placed()
    drain()
    cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    row = Payment.objects.get() if kind == "payment" else Refund.objects.get()
    Transaction.objects.filter(key=row.idempotency_key).update(reference="other")

    call_back(row)
    assert Discrepancy.objects.get().finding == f"our reference is {row.reference}, the provider's is other"
    assert list(look_at_the_books().discrepancies) == [row.id]


# --- Keys ---


@pytest.mark.parametrize("amount", ["12.50", "80.00"])
def test_a_restored_database_does_not_take_the_charge_of_a_forgotten_order(
    placed: Placed, drain: Drain, amount: str
) -> None:
    number = int(placed({"MUG": 1}, buyer="B-7").partition("-")[2])
    drain()
    # The provider remembers orders whose numbers the restored database gives again.
    forgotten = f"P-{number + 1}-1"
    adapter.charge(forgotten, VISA, Money(amount, "USD"))
    adapter.charge(f"{forgotten}-{uuid4().hex}", VISA, Money(amount, "USD"))

    again = placed({"MUG": 1}, buyer="B-8")
    drain()

    assert Order.objects.get(pk=again).status == "confirmed"
    payment = Payment.objects.get(order=again)
    assert payment.id == forgotten
    assert Transaction.objects.get(reference=payment.reference).key == payment.idempotency_key != forgotten
    assert len(look_at_the_books().discrepancies) == 2


def test_keys_carry_the_story(placed: Placed, drain: Drain) -> None:
    order = placed()
    drain()
    cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    story = Order.objects.get().correlation_id.hex
    for row in (Payment.objects.get(), Refund.objects.get()):
        assert row.idempotency_key == f"{row.id}-{story}"
    assert set(Transaction.objects.values_list("key", flat=True)) == {
        Payment.objects.get().idempotency_key,
        Refund.objects.get().idempotency_key,
    }


def test_what_was_requested_under_the_old_key_goes_on_with_it(requested: Payment, drain: Drain) -> None:
    with bypassing_history():
        Payment.objects.update(key="")
    drain()
    assert Transaction.objects.get().key == requested.id
    body, headers = adapter.call_back(requested.id)
    path = "/api/v1/webhooks/payments/sandbox"
    assert APIClient().post(path, body, content_type="application/json", headers=headers).status_code == 204
    assert look_at_the_books().discrepancies == {}


# --- A provider that is away ---


@pytest.mark.parametrize("minutes", [1, 5, 20])
def test_a_provider_that_is_away_costs_no_payment(
    placed: Placed, drain: Drain, later: Later, minutes: int, settings: Any
) -> None:
    placed()
    settings.SANDBOX_FAILURE_RATE = 2.0
    for _ in range(minutes * 6):
        drain()
        later(timedelta(seconds=10))
    assert (Payment.objects.get().status, Order.objects.get().status) == ("unknown", "payment_pending")

    settings.SANDBOX_FAILURE_RATE = 0.0
    later(timedelta(minutes=5))
    drain()

    assert Order.objects.get().status == "confirmed"
    assert not Delivery.objects.exclude(status="done").exists()


@pytest.mark.parametrize("away", [timedelta(minutes=5), timedelta(hours=5), timedelta(days=5)])
def test_a_provider_that_is_away_costs_no_refund(
    to_refund: Refund, drain: Drain, later: Later, away: timedelta, settings: Any
) -> None:
    settings.SANDBOX_FAILURE_RATE = 2.0
    for _ in range(40):
        drain()
        later(away / 40)
    settings.SANDBOX_FAILURE_RATE = 0.0
    later(timedelta(minutes=5))
    drain()

    assert (Refund.objects.get().status, Order.objects.get().payment_status) == ("issued", "refunded")


def test_a_call_that_takes_too_long_costs_no_attempt(requested: Payment, later: Later) -> None:
    for _ in range(30):
        (taken,) = claim(EXTERNAL, 10)
        record_failure(taken, CallTimedOut("too long"))
        later(timedelta(minutes=6))
    assert Delivery.objects.get(consumer="billing.collect-payment").attempts == 0


def test_an_error_in_the_response_is_charged(requested: Payment) -> None:
    (taken,) = claim(EXTERNAL, 10)
    record_failure(taken, ValueError("the key was used for something else"))
    assert Delivery.objects.get(consumer="billing.collect-payment").attempts == 1


CAPTURES = ("make-capture", "release-authorization")


def test_only_consumers_that_ask_again_are_not_charged(placed: Placed, drain: Drain) -> None:
    until_known = {name for name, each in consumers.items() if each.until_known and name.startswith("billing.")}
    assert until_known == {
        f"billing.{what}" for what in ("cancel-payment", "collect-payment", "expire-payment", "issue-refund", *CAPTURES)
    }


def test_a_refund_that_is_not_issued_becomes_a_task_until_it_is(to_refund: Refund, drain: Drain, later: Later) -> None:
    Delivery.objects.filter(consumer="billing.issue-refund").update(status="dead")
    assert look_at_the_books(timedelta(minutes=10)).discrepancies == {}
    later(timedelta(hours=2))
    found = reconcile(clock.now() - timedelta(days=3))
    assert list(found.discrepancies) == [to_refund.id]
    assert "the provider has no refund" in Discrepancy.objects.get().finding

    Delivery.objects.filter(consumer="billing.issue-refund").update(status="pending", attempts=0)
    drain()
    reconcile(clock.now() - timedelta(days=3))
    assert Discrepancy.objects.get().settled_by == "system"


def test_what_is_unsettled_is_asked_about_however_old_it_is(
    to_refund: Refund, requested: Payment, later: Later
) -> None:
    for row in (requested, to_refund):
        if isinstance(row, Payment):
            adapter.charge(row.idempotency_key, VISA, row.amount)
        else:
            adapter.refund(row.idempotency_key, row.payment.reference, row.amount)
    later(timedelta(days=9))
    assert sorted(reconcile(clock.now() - timedelta(days=3)).repaired) == sorted([requested.id, to_refund.id])


# --- Discrepancies ---


def test_a_later_finding_opens_a_settled_discrepancy_again(placed: Placed, drain: Drain) -> None:
    placed()
    drain()
    payment = Payment.objects.get()
    Transaction.objects.update(reference="ch_other")
    look_at_the_books()
    settle_discrepancy(payment.id, "renamed by the provider")
    assert look_at_the_books(2 * HOUR) == Report(1, [], {})
    assert not Discrepancy.objects.filter(settled_at=None).exists()

    Transaction.objects.update(amount_minor=1)
    look_at_the_books(3 * HOUR)

    reopened = Discrepancy.objects.get(settled_at=None)
    assert reopened.finding == "we have 105.00 USD, the provider 0.01 USD"
    assert "renamed by the provider (system, " in reopened.earlier
    assert (reopened.settlement, reopened.settled_by) == ("", "")


def test_an_open_discrepancy_shows_the_last_finding(placed: Placed, drain: Drain) -> None:
    placed()
    drain()
    Transaction.objects.update(reference="ch_other")
    look_at_the_books()
    Transaction.objects.all().delete()
    look_at_the_books(2 * HOUR)
    assert "the provider has no charge" in Discrepancy.objects.get().finding


def test_a_settled_discrepancy_is_no_offender(placed: Placed, drain: Drain) -> None:
    placed()
    drain()
    Transaction.objects.update(reference="ch_other")
    look_at_the_books()
    with clock.moved(HOUR):
        books = "money.books_are_the_providers"
        assert verify([books], provider=timedelta(days=1))[books].offenders
        settle_discrepancy(Payment.objects.get().id, "renamed by the provider")
        assert verify([books], provider=timedelta(days=1))[books].offenders == []


def test_a_discrepancy_shows_who_settled_it(placed: Placed, drain: Drain, admin_client: Client) -> None:
    placed()
    drain()
    Transaction.objects.update(reference="ch_other")
    look_at_the_books()
    path = "/admin/billing/discrepancy/"
    chosen = Discrepancy.objects.get().pk
    submit(admin_client, path, {"action": "settle", "_selected_action": chosen, "settlement": "renamed"})
    settled = Discrepancy.objects.get()
    assert (settled.settlement, settled.settled_by.partition(":")[0]) == ("renamed", "user")
    assert "settled by" in admin_client.get(f"{path}{settled.pk}/change/").content.decode().lower()


@pytest.mark.parametrize("behind", [timedelta(seconds=3), timedelta(minutes=3)])
def test_the_providers_clock_may_be_behind_at_the_edge_of_the_window(
    placed: Placed, drain: Drain, behind: timedelta
) -> None:
    placed()
    drain()
    payment = Payment.objects.get()
    Transaction.objects.update(created_at=payment.created_at - behind)
    with clock.standing_at(payment.created_at + timedelta(days=3) - timedelta(seconds=1)):
        assert reconcile(clock.now() - timedelta(days=3)).discrepancies == {}


def test_a_repair_that_fails_hides_no_other(placed: Placed, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    payments = [request_payment(placed, drain, lines={"MUG": 1}, buyer=f"B-{n}") for n in range(3)]
    for payment in payments:
        adapter.charge(payment.idempotency_key, VISA, payment.amount)
    settle = differences.settle_payment

    def fail_for_the_first(id: Any, booked: Any) -> None:
        if id == payments[0].id:
            raise RuntimeError("cannot be recorded")
        settle(id, booked)

    monkeypatch.setattr(differences, "settle_payment", fail_for_the_first)
    report = look_at_the_books()
    assert sorted(report.repaired) == [payment.id for payment in payments[1:]]
    assert "cannot be recorded" in Discrepancy.objects.get(pk=payments[0].id).finding
