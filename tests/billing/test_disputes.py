"""A dispute takes money away, and lets refunds wait until it ends."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from billing import commands
from billing.gateways import Booked, CallBack, Disputed
from billing.gateways.sandbox.adapter import SandboxProvider
from billing.models import DISPUTE_LIFE, Dispute, Invoice, Payment, Refund, invoice_of
from billing.reconciliation import reconcile
from config.verification import verify
from integration import contracts
from integration.aggregates.aggregate import Aggregate
from integration.domain import clock
from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber
from integration.domain.money import Money

SEND: dict[str, Callable[[Dispute], None]] = {
    "withdraw": lambda dispute: dispute.withdraw(),
    "win": lambda dispute: dispute.win(),
    "lose": lambda dispute: dispute.lose(),
}
REACHED_BY = {"opened": (), "funds_withdrawn": ("withdraw",), "won": ("win",), "lost": ("withdraw", "lose")}


def in_state(state: str) -> Dispute:
    payment = Payment(id="P-1-1", invoice_id="I-1", order="R-1", currency="USD", amount_minor=1000)
    dispute = Dispute.open("dp_1", payment, Money("10", "USD"), "chargeback", None)
    for message in REACHED_BY[state]:
        SEND[message](dispute)
    return dispute


def test_a_dispute_does_what_its_table_says(
    judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None],
) -> None:
    assert (set(REACHED_BY), set(SEND)) == (set(DISPUTE_LIFE.states), set(DISPUTE_LIFE.messages))
    for state in REACHED_BY:
        assert in_state(state).status == state
        for message, send in SEND.items():
            dispute = in_state(state)
            judge_by_table(dispute, message, partial(send, dispute))


def test_what_is_said_of_a_dispute_may_come_in_any_order() -> None:
    dispute = in_state("opened")
    for said, status, withdrawn in (
        ("warning", "opened", "0"),
        ("needs_response", "funds_withdrawn", "10"),
        ("warning", "funds_withdrawn", "10"),
        ("won", "won", "0"),
        ("needs_response", "won", "0"),
        ("lost", "won", "0"),
    ):
        dispute.update_from(said)  # type: ignore[arg-type]
        assert (dispute.status, dispute.withdrawn) == (status, Money(withdrawn, "USD"))
    lost = in_state("opened")
    lost.update_from("lost")
    assert (lost.status, lost.withdrawn) == ("lost", Money("10", "USD"))


@pytest.fixture
def paid(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> tuple[OrderNumber, Payment]:
    number = placed()
    drain()
    return number, Payment.objects.get(order=number)


@pytest.mark.django_db
def test_refunds_of_disputed_money_wait_for_the_end(
    paid: tuple[OrderNumber, Payment], drain: Callable[..., int], published: Callable[..., list[Any]]
) -> None:
    number, payment = paid

    def say(status: str, reference: str, event: str) -> None:
        disputed = Disputed(reference, payment.reference, payment.amount, "chargeback", status)  # type: ignore[arg-type]
        booked = Booked(reference, disputed, payment.amount)
        commands.note_call_back("sandbox", CallBack(event, "dispute", booked))
        drain()

    def refund(amount: str) -> Refund:
        commands.refund_in_part(invoice_of(number), Money(amount, "USD"), "scratched")
        drain()
        return Refund.objects.latest("created_at")

    def is_clean() -> bool:
        return [name for name, found in verify().items() if found.offenders] == []

    say("needs_response", "dp_1", "evt_1")
    say("needs_response", "dp_1", "evt_1")
    invoice = Invoice.objects.get()
    assert (invoice.withdrawn, invoice.disputed) == (payment.amount, payment.amount)
    blocked = refund("5")
    assert blocked.status == "blocked"
    assert is_clean()
    say("won", "dp_1", "evt_2")
    assert Refund.objects.get().status == "issued"
    assert Invoice.objects.get().withdrawn == Money.zero("USD")
    assert is_clean()

    say("needs_response", "dp_2", "evt_3")
    second = refund("3")
    say("lost", "dp_2", "evt_4")
    assert Refund.objects.get(pk=second.pk).status == "settled"
    rest = Refund.objects.get(reason="by_operator")
    assert rest.status == "settled", "the order is cancelled, and the buyer has the money by the dispute"
    invoice = Invoice.objects.get()
    assert (invoice.withdrawn, invoice.disputed, invoice.refunded) == (
        payment.amount,
        Money.zero("USD"),
        Money("5", "USD"),
    )
    assert is_clean()
    opened, closed = contracts.billing.DisputeOpened, contracts.billing.DisputeClosed
    assert [(type(said), said.dispute) for said in published(opened, closed)] == [
        (opened, "dp_1"),
        (closed, "dp_1"),
        (opened, "dp_2"),
        (closed, "dp_2"),
    ]


@pytest.mark.django_db
def test_reconciliation_records_what_the_provider_says_of_a_dispute(
    paid: tuple[OrderNumber, Payment], drain: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, payment = paid
    inquiry = Disputed("dp_1", payment.reference, payment.amount, "inquiry", "warning")
    books = SandboxProvider.books

    def with_a_dispute(self: SandboxProvider, *since: Any) -> Iterator[Booked]:
        yield from books(self, *since)
        yield Booked("dp_1", inquiry, payment.amount)

    monkeypatch.setattr(SandboxProvider, "books", with_a_dispute)
    with clock.moved(timedelta(hours=1)):
        first, second = (reconcile(clock.now() - timedelta(hours=2)) for _ in range(2))
    assert (first.repaired, first.discrepancies, second.repaired) == (["dp_1"], {}, [])
    dispute = Dispute.objects.get()
    assert (dispute.status, dispute.kind, Invoice.objects.get().withdrawn.minor) == ("opened", "inquiry", 0)
    with pytest.raises(NotFound):
        commands.note_dispute(Disputed("dp_9", "ch_of_nobody", payment.amount, "inquiry", "warning"))
