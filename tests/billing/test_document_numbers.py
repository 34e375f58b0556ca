"""Invoices and credit notes get numbers without a gap, and credit notes add up to what was taken back, with its tax."""

import os
import random
import signal
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import connection, connections
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing import commands, events, queries
from billing.events import CreditNoteContent, InvoicedLine, InvoicedTax
from billing.gateways import Booked, Charged
from billing.models import (
    DOCUMENT_LIFE,
    Document,
    DocumentKind,
    Invoice,
    Payment,
    invoice_of,
    payment_of,
)
from config.verification import verify
from integration.aggregates.aggregate import Aggregate
from integration.domain import clock
from integration.domain.identifiers import BuyerId, DocumentId, OrderNumber, PaymentId, PaymentMethodId, Sku
from integration.domain.money import Money

ORDER = OrderNumber("R-1")
MUG, LAMP = Sku("MUG"), Sku("LAMP")
CHECKED = [
    "billing.document_numbers_have_no_gap",
    "billing.confirmed_invoices_and_reductions_are_documented",
    "billing.documents_get_their_numbers",
    "billing.invoices_get_their_numbers",
    "billing.refunded_is_its_refunds",
]


def usd(minor: int) -> Money:
    return Money.of_minor(minor, "USD")


def issue_of(order: OrderNumber = ORDER) -> dict[str, Any]:
    """Three mugs at 19 % and a lamp at 7 %, and shipping, whose tax is at both rates."""
    return {
        "payer": BuyerId("B-1"),
        "payment_method": PaymentMethodId("pm_card_visa"),
        "lines": [
            InvoicedLine(MUG, "Mug", 3, usd(1000), usd(3570), usd(570), Decimal(19)),
            InvoicedLine(LAMP, "Lamp", 1, usd(5000), usd(5350), usd(350), Decimal(7)),
        ],
        "discount": usd(0),
        "shipping": usd(500),
        "total": usd(9420),
        "taxes": [InvoicedTax(Decimal(7), usd(370)), InvoicedTax(Decimal(19), usd(600))],
        "prices_include_tax": False,
    }


def paid() -> Invoice:
    invoice = Invoice.issue(ORDER, **issue_of())
    invoice.settle(payment_of(ORDER), invoice.total)
    return invoice


def notes_of(invoice: Invoice) -> list[CreditNoteContent]:
    recorded = (each.event for each in invoice.recorded_events)
    return [event.content for event in recorded if isinstance(event, events.InvoiceCreditNoteOwed)]


def test_an_invoice_is_numbered_once() -> None:
    invoice = paid()
    assert (invoice.position, invoice.printed_number, invoice.issued_at) == (0, "", None)
    invoice.assign_number(7)
    invoice.assign_number(8)
    assert (invoice.printed_number, invoice.issued_at is None) == ("SI-000007", False)


def test_a_document_is_numbered_once(judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None]) -> None:
    def drafted() -> Document:
        return Document.draft(DocumentId("D-1"), DocumentKind.INVOICE, invoice_of(ORDER), ORDER, usd(1))

    def numbered() -> Document:
        document = drafted()
        document.assign_number("INV", 7)
        return document

    for document in drafted(), numbered():
        judge_by_table(document, "assign_number", partial(document.assign_number, "INV", 8))
    assert {*DOCUMENT_LIFE.messages} == {"assign_number"}
    assert (numbered().number, numbered().issued_at is None) == ("INV-000007", False)
    assert (str(drafted()), drafted().issued_at) == ("draft D-1", None)


@given(st.lists(st.integers(1, 9420), max_size=6))
def test_credit_notes_that_take_back_everything_take_back_the_whole_tax(amounts: list[int]) -> None:
    invoice = paid()
    for minor in amounts:
        if minor < (invoice.paid - invoice.refund_owed).minor:
            invoice.refund_in_part(usd(minor), "scratched")
    invoice.void("by_buyer")
    taxes: dict[Decimal, int] = {}
    for note in notes_of(invoice):
        parts = [line.amount for line in note.lines]
        assert note.shipping >= usd(0) <= min(parts, default=usd(0))
        for tax in note.taxes:
            taxes[tax.rate] = taxes.get(tax.rate, 0) + tax.amount.minor
    assert invoice.noted == invoice.refund_owed == invoice.total
    assert taxes == {Decimal(7): 370, Decimal(19): 600}


def test_a_reduction_has_a_credit_note_and_a_surplus_has_none() -> None:
    invoice = paid()
    invoice.refund_units("C-1-1", {MUG: 2, LAMP: 1}, "by_buyer")
    (note,) = notes_of(invoice)
    assert [(line.sku, line.amount.minor, line.tax and line.tax.minor) for line in note.lines] == [
        (MUG, 2380, 380),
        (LAMP, 5350, 350),
    ]
    assert (note.shipping, note.reason) == (usd(0), "by_buyer")
    void = Invoice.issue(ORDER, **issue_of())
    void.void("payment_timeout")
    void.settle(payment_of(ORDER), void.total)
    assert (notes_of(void), void.documented, void.refund_owed) == ([], False, void.total)


def test_an_invoice_of_older_code_has_no_documents() -> None:
    invoice = Invoice.issue(ORDER, **issue_of())
    invoice.record(
        events.InvoicePaid(invoice=invoice_of(ORDER), order=ORDER, payment=payment_of(ORDER), amount=invoice.total)
    )
    invoice.refund_in_part(usd(1), "scratched")
    assert (notes_of(invoice), invoice.documented, invoice.noted) == ([], False, usd(0))


def confirm(order: OrderNumber) -> None:
    """Issue and settle the invoice of an order, and take something back, each unless it has happened."""
    commands.issue_invoice(order, **issue_of())
    commands.request_payment(order)
    payment = Payment.objects.get(order=order)
    if payment.status != "succeeded":
        booked = Booked(payment.idempotency_key, Charged(f"ch_{order}"), payment.amount)
        commands.settle_payment(PaymentId(payment.id), booked)
    if not Invoice.objects.get(order=order).note_count:
        commands.refund_in_part(invoice_of(order), usd(100), "scratched")


@pytest.mark.django_db
def test_what_older_code_reduces_gets_a_credit_note() -> None:
    with mock.patch.object(Invoice, "_credit_note", return_value=None):
        confirm(ORDER)
    assert not Invoice.objects.get().note_count
    commands.number_documents()
    assert Invoice.objects.get().printed_number == "SI-000001"
    assert {*Document.objects.values_list("number", "amount_minor")} == {("CN-000001", 100)}
    assert commands.number_documents() == 0


@pytest.mark.django_db
def test_what_older_code_drafted_gets_a_number_of_its_own_series() -> None:
    older = events.InvoicePaid(
        invoice=invoice_of(ORDER), order=ORDER, payment=payment_of(ORDER), amount=usd(9420), document=DocumentId("D-1")
    )
    with mock.patch.object(Invoice, "settle", lambda invoice, payment, amount: invoice.record(older)):
        confirm(ORDER)
    commands.draft_document(DocumentId("D-1"), DocumentKind.INVOICE, invoice_of(ORDER), ORDER, usd(9420))
    confirm(OrderNumber("R-2"))
    assert commands.number_documents() == 4
    assert {*Document.objects.values_list("number", flat=True)} == {"INV-000001", "CN-000001", "CN-000002"}
    (invoice,) = queries.with_details([Invoice.objects.get(order=ORDER)])
    assert (queries.document_number(invoice)[0], invoice.printed_number) == ("INV-000001", "")
    numbers = [name for name in CHECKED if "refunded" not in name]
    assert [complaint for name in numbers for complaint in verify([name])[name].complaints] == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_workers_that_are_killed_leave_no_gap() -> None:
    everything = hypothesis_settings.get_current_profile_name() == "chaos"
    workers, orders, lives = (8, 500, 40) if everything else (3, 12, 3)
    shares = [[OrderNumber(f"R-{n}") for n in range(i, orders, workers)] for i in range(workers)]
    running = {_worker(share): share for share in shares}
    connections.close_all()
    while running:
        if lives:
            clock.pause(0.1)
            lives -= 1
            victim = random.choice([*running])
            os.kill(victim, signal.SIGKILL)
        pid, status = os.waitpid(-1, 0)
        share = running.pop(pid)
        if status:
            connections.close_all()
            running[_worker(share)] = share
    commands.number_documents()
    assert [complaint for name in CHECKED for complaint in verify([name])[name].complaints] == []
    assert Document.objects.filter(status="numbered").count() == orders
    assert Invoice.objects.filter(position__gte=1).count() == orders


def _worker(orders: list[OrderNumber]) -> int:
    """A process that confirms these orders, takes something back of each, and assigns numbers; returns its id."""
    connections.close_all()
    pid = os.fork()
    if not pid:
        try:
            for order in orders:
                confirm(order)
                commands.number_documents()
            os._exit(0)
        finally:
            os._exit(1)
    return pid
