"""Many payments in one batch: one query reads them, one commit records all outcomes, and each fails alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from billing.gateways import OutcomeUnknown
from billing.gateways.sandbox.adapter import SandboxProvider
from billing.gateways.sandbox.models import Transaction
from billing.models import Invoice, Payment, Refund
from config.verification import verify
from integration.aggregates.direct_writes import bypassing_history
from integration.domain.identifiers import OrderNumber
from integration.messaging import external
from integration.messaging.claim import LEASE
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery
from integration.messaging.wakeups import DeliveryQueue
from ordering.commands import cancel_order
from ordering.models import CancellationReason

pytestmark = pytest.mark.django_db

IN_TRANSACTION, EXTERNAL = DeliveryQueue("billing", False), DeliveryQueue("billing", True)
MANY = 20

Statements = Callable[[], AbstractContextManager[list[str]]]
Requested = Callable[[int], list[Payment]]


@pytest.fixture
def requested(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> Requested:
    """A function that requests a number of payments, without asking the provider for them."""

    def request(number: int) -> list[Payment]:
        orders = [placed({"MUG": 1}, buyer=f"B-{n}") for n in range(number)]
        drain("inventory")
        while deliver_due(IN_TRANSACTION):
            pass
        return list(Payment.objects.filter(order__in=orders).order_by("id"))

    return request


@pytest.fixture
def refunds_requested(requested: Requested, drain: Callable[..., int]) -> Callable[[int], None]:
    """A function that requests a number of refunds, without asking the provider for them."""

    def request(number: int) -> None:
        payments = requested(number)
        drain()
        for payment in payments:
            cancel_order(OrderNumber(payment.order), CancellationReason.BY_BUYER)
        drain("fulfillment", "ordering")
        while deliver_due(IN_TRANSACTION):
            pass

    return request


def _ours(seen: list[str]) -> list[str]:
    """The statements without those of the sandbox, which stands for another company."""
    return [sql for sql in seen if Transaction._meta.db_table not in sql]


def _statuses(model: type[Any]) -> list[str]:
    return list(model.objects.order_by("pk").values_list("status", flat=True))


def _offenders() -> list[str]:
    return [what for finding in verify().values() for what in finding.offenders]


def test_many_payments_take_as_many_statements_as_one(requested: Requested, statements: Statements) -> None:
    counts = []
    for number in (1, MANY):
        requested(number)
        with statements() as seen:
            assert deliver_due(EXTERNAL) == number
        counts.append(len(_ours(seen)))

    assert counts[0] == counts[1]
    assert set(_statuses(Invoice)) == {"paid"}


def test_many_refunds_take_as_many_statements_as_one(
    refunds_requested: Callable[[int], None], statements: Statements
) -> None:
    counts = []
    for number in (1, MANY):
        refunds_requested(number)
        with statements() as seen:
            assert deliver_due(EXTERNAL) == number
        counts.append(len(_ours(seen)))

    assert counts[0] == counts[1]
    assert _statuses(Refund) == ["issued"] * (MANY + 1)


@pytest.mark.django_db(transaction=True)
def test_many_payments_are_recorded_in_one_commit(requested: Requested, monkeypatch: pytest.MonkeyPatch) -> None:
    requested(MANY)
    commits: list[int] = []
    commit = connections["default"].commit
    monkeypatch.setattr(connections["default"], "commit", lambda: (commits.append(1), commit()))

    deliver_due(EXTERNAL)

    assert len(commits) == 1, "the sandbox's INSERTs autocommit and are not counted"
    assert _statuses(Payment) == ["succeeded"] * MANY


def test_a_lost_response_for_one_payment_affects_no_other(
    requested: Requested, monkeypatch: pytest.MonkeyPatch, later: Callable[[timedelta], None]
) -> None:
    payments = requested(5)
    charge = SandboxProvider.charge
    keys: list[str] = []

    def charge_and_lose(self: SandboxProvider, key: str, *args: Any) -> Any:
        keys.append(key)
        outcome = charge(self, key, *args)
        if key == payments[2].idempotency_key:
            raise OutcomeUnknown
        return outcome

    monkeypatch.setattr(SandboxProvider, "charge", charge_and_lose)
    deliver_due(EXTERNAL)
    assert _statuses(Payment) == ["succeeded", "succeeded", "unknown", "succeeded", "succeeded"]

    later(timedelta(seconds=2))
    deliver_due(EXTERNAL)

    assert _statuses(Payment) == ["succeeded"] * 5
    assert keys == [payment.idempotency_key for payment in payments], (
        "the provider must be asked for the outcome, not for a second charge"
    )
    assert _offenders() == []


def test_an_outcome_that_cannot_be_recorded_affects_no_other(requested: Requested) -> None:
    payments = requested(5)
    with bypassing_history():
        Payment.objects.filter(pk=payments[1].pk).update(amount_minor=1)

    deliver_due(EXTERNAL)

    assert _statuses(Payment) == ["succeeded", "requested", "succeeded", "succeeded", "succeeded"]
    assert Delivery.objects.get(context="billing", status="pending").error.startswith("AmountMismatch")


class Killed(BaseException):
    """Stands for the death of the worker."""


def test_a_charge_made_before_the_worker_was_killed_is_not_made_again(
    requested: Requested, monkeypatch: pytest.MonkeyPatch, later: Callable[[timedelta], None]
) -> None:
    def die(*args: object) -> None:
        raise Killed

    requested(5)
    with monkeypatch.context() as patch:
        patch.setattr(external, "_write_down", die)
        with pytest.raises(Killed):
            deliver_due(EXTERNAL)
    assert _statuses(Payment) == ["requested"] * 5
    charges = set(Transaction.objects.values_list("key", "reference"))

    later(LEASE)
    assert deliver_due(EXTERNAL) == 5

    assert _statuses(Invoice) == ["paid"] * 5
    assert set(Transaction.objects.values_list("key", "reference")) == charges
    assert set(Payment.objects.values_list("key", "reference")) == charges
    assert _offenders() == []
