"""Reconciliation: safe differences are repaired from the provider's books, others become discrepancies."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from json import loads
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from billing.commands import settle_discrepancy
from billing.gateways.sandbox.adapter import adapter
from billing.gateways.sandbox.models import Transaction
from billing.models import Discrepancy, Payment, Refund
from billing.reconciliation import Report, reconcile
from integration.domain import clock
from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber, PaymentMethodId
from integration.domain.money import Money
from integration.messaging.deliver import deliver_due
from integration.messaging.wakeups import DeliveryQueue
from ordering.commands import cancel_order
from ordering.models import CancellationReason, Order

VISA = PaymentMethodId("pm_card_visa")


@pytest.fixture
def an_hour_later() -> Iterator[None]:
    with clock.moved(timedelta(hours=1)):
        yield


def compare() -> Report:
    with clock.moved(timedelta(hours=1)):
        return reconcile(clock.now() - timedelta(days=1))


@pytest.fixture
def requested(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> Payment:
    """A requested payment; the provider was not asked for it yet."""
    placed()
    drain("inventory")
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    return Payment.objects.get()


def test_equal_books_need_no_repair(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    placed()
    placed(method="pm_card_chargeDeclined")
    drain()
    assert compare() == Report(2, [], {})


@pytest.mark.parametrize(("method", "status"), [("pm_card_visa", "succeeded"), ("pm_card_chargeDeclined", "failed")])
def test_an_outcome_that_never_reached_us_is_recorded(requested: Payment, method: str, status: str) -> None:
    adapter.charge(requested.idempotency_key, PaymentMethodId(method), requested.amount)
    assert compare().repaired == [requested.id]
    assert Payment.objects.get().status == status
    assert compare().repaired == []


def test_an_uncharged_payment_of_a_void_invoice_is_abandoned(requested: Payment, drain: Callable[..., int]) -> None:
    cancel_order(OrderNumber(requested.order), CancellationReason.BY_BUYER)
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    assert compare().repaired == [requested.id]
    assert Payment.objects.get().status == "abandoned"


def test_a_payment_still_in_flight_is_not_compared(requested: Payment) -> None:
    adapter.charge(requested.idempotency_key, VISA, requested.amount)
    assert reconcile(clock.now() - timedelta(days=1)).repaired == []
    assert Payment.objects.get().status == "requested"


def test_a_refund_that_never_reached_us_is_recorded(
    placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    order = placed()
    drain()
    cancel_order(order, CancellationReason.BY_BUYER)
    drain("fulfillment", "ordering", "inventory")
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    refund = Refund.objects.get()
    adapter.refund(refund.idempotency_key, refund.payment.reference, refund.amount)
    assert compare().repaired == [refund.id]
    with clock.moved(timedelta(hours=1)):
        drain()
    assert Order.objects.get().payment_status == "refunded"


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (lambda: Transaction.objects.all().delete(), "the provider has no charge under this key"),
        (lambda: Transaction.objects.update(amount_minor=1), "the provider 0.01 USD"),
        (lambda: Transaction.objects.update(reference="ch_other"), "the provider's is ch_other"),
        (lambda: Transaction.objects.update(decline_code="lost_card"), "the provider took nothing"),
    ],
    ids=["missing there", "another amount", "another reference", "declined there"],
)
def test_a_difference_that_is_not_safe_to_repair_is_stored_once(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], spoil: Callable[[], Any], finding: str
) -> None:
    placed()
    drain()
    spoil()
    compare()
    compare()
    assert finding in Discrepancy.objects.get().finding
    assert Payment.objects.get().status == "succeeded"


def test_a_charge_that_we_did_not_request_is_a_discrepancy(db: None) -> None:
    adapter.charge("P-9-1", VISA, Money("5", "USD"))
    assert list(compare().discrepancies) == ["P-9-1"]


def test_a_discrepancy_waits_until_it_is_settled(db: None, admin_client: Client, an_hour_later: None) -> None:
    adapter.charge("P-9-1", VISA, Money("5", "USD"))
    with clock.moved(timedelta(hours=1)):
        output = StringIO()
        with pytest.raises(CommandError, match="1 discrepancies wait"):
            call_command("reconcile_payments", stdout=output)
        assert "for a person: P-9-1" in output.getvalue()
        output = StringIO()
        with pytest.raises(CommandError):
            call_command("reconcile_payments", "--json", stdout=output)
        assert [each["subject"] for each in loads(output.getvalue())["for_a_person"]] == ["P-9-1"]
        assert admin_client.get("/admin/billing/discrepancy/P-9-1/change/").status_code == 200
        settle_discrepancy("P-9-1", "refunded by hand")
        call_command("reconcile_payments", stdout=StringIO())
    with pytest.raises(NotFound):
        settle_discrepancy("P-9-1", "again")
