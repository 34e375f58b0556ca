"""A refund may be pending, and may fail days after it was issued: its money is then owed again, until it is retried."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from billing import commands
from billing.gateways import Booked, Refunded, RefundFailed, RefundPending
from billing.models import REFUND_LIFE, Discrepancy, Invoice, Refund, invoice_of
from billing.reconciliation import reconcile
from config.verification import verify
from integration import contracts
from integration.aggregates.aggregate import Aggregate
from integration.domain import clock
from integration.domain.identifiers import InvoiceNumber, OrderNumber, PaymentId, RefundId
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from ordering.models import Order

TOTAL = Money("94.50", "USD")
SEND: dict[str, Callable[[Refund], None]] = {
    "settle": lambda refund: refund.settle("re_1"),
    "pend": lambda refund: refund.pend("re_1"),
    "fail": lambda refund: refund.fail("re_1", "expired_or_canceled_card"),
    "retry": lambda refund: refund.retry(),
    "block": lambda refund: refund.block(),
    "release": lambda refund: refund.release(),
    "settle_by_dispute": lambda refund: refund.settle_by_dispute(),
}
REACHED_BY = {
    "requested": (),
    "pending": ("pend",),
    "issued": ("settle",),
    "failed": ("fail",),
    "blocked": ("block",),
    "settled": ("settle_by_dispute",),
}


def in_state(state: str) -> Refund:
    refund = Refund.request(
        RefundId("F-1-1"), InvoiceNumber("I-1"), PaymentId("P-1-1"), OrderNumber("R-1"), TOTAL, "by_buyer"
    )
    for message in REACHED_BY[state]:
        SEND[message](refund)
    return refund


def test_a_refund_does_what_its_table_says(
    judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None],
) -> None:
    assert (set(REACHED_BY), set(SEND)) == (set(REFUND_LIFE.states), set(REFUND_LIFE.messages))
    for state in REACHED_BY:
        assert in_state(state).status == state
        for message, send in SEND.items():
            refund = in_state(state)
            judge_by_table(refund, message, partial(send, refund))


def test_a_failed_refund_is_another_one_to_the_provider() -> None:
    refund = in_state("issued")
    refund.settle("re_2")
    assert (refund.reference, refund.amount, refund.reason, refund.version) == ("re_1", TOTAL, "by_buyer", 2)
    first = refund.idempotency_key
    refund.fail("re_1", "lost_or_stolen_card")
    assert (refund.failure, refund.reference) == ("lost_or_stolen_card", "re_1")
    refund.retry()
    assert (refund.failure, refund.reference, refund.earlier_keys) == ("", "", [first])
    assert refund.idempotency_key.startswith("F-1-1-")
    assert refund.idempotency_key != first
    assert refund.has_key(first)
    assert refund.has_key(refund.idempotency_key)
    assert not refund.has_key("F-1-1-0")


@pytest.mark.django_db
def test_money_that_comes_back_is_owed_until_the_refund_is_retried(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], publish_all: Callable[..., None]
) -> None:
    number = placed()
    drain()
    commands.refund_in_part(invoice_of(number), Money("5", "USD"), "scratched")
    drain()
    refund = Refund.objects.get()
    first, id = refund.idempotency_key, RefundId(refund.id)

    def report_to_us(outcome: Refunded | RefundPending | RefundFailed, key: str) -> None:
        commands.settle_refund(id, Booked(key, outcome, refund.amount))
        drain()

    def amounts() -> tuple[int, int, int, int]:
        invoice, order = Invoice.objects.get(), Order.objects.get()
        return invoice.refund_owed_minor, invoice.noted_minor, invoice.refunded_minor, order.refunded_minor

    assert amounts() == (500, 500, 500, 500)
    with pytest.raises(NotAllowed):
        commands.retry_refund(id)
    report_to_us(RefundFailed(refund.reference, "lost_or_stolen_card"), first)
    assert amounts() == (500, 500, 0, 0), "the credit note stays"
    late = contracts.billing.RefundIssued(
        order=number,
        refund=id,
        amount=refund.amount,
        refunded=refund.amount,
        sequence=Invoice.objects.get().version - 1,
    )
    publish_all(late)
    drain()
    assert amounts() == (500, 500, 0, 0), "an older total is no news"
    task = Discrepancy.objects.get()
    assert (task.subject, task.settled_at) == (id, None)
    assert "lost_or_stolen_card" in task.finding
    assert [name for name, found in verify().items() if found.offenders] == []

    commands.retry_refund(id)
    assert Discrepancy.objects.get().settlement == "It was requested again."
    drain()
    again = Refund.objects.get()
    assert (again.status, again.idempotency_key != first) == ("issued", True)
    assert amounts() == (500, 500, 500, 500)
    report_to_us(RefundFailed(refund.reference, "lost_or_stolen_card"), first)
    assert (Refund.objects.get().status, amounts()) == ("issued", (500, 500, 500, 500)), "the first attempt is over"
    with clock.moved(timedelta(minutes=10)):
        report = reconcile(clock.now() - timedelta(hours=1))
    assert report.discrepancies == {}, "both books know both attempts"
    assert [name for name, found in verify().items() if found.offenders] == []
