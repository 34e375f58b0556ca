"""Billing's commands: one function for each use case.

Most commands are one unit of work. `collect_payment` and `issue_refund` call the payment provider while no transaction
is open; they return a function that records the outcome in a second unit of work.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from billing.commands.discrepancies import BooksDiffer, already_used, contradiction, note_discrepancy
from billing.commands.discrepancies import settle_discrepancy as settle_discrepancy
from billing.commands.disputes import close_dispute as close_dispute
from billing.commands.disputes import note_dispute as note_dispute
from billing.commands.disputes import withdraw_funds as withdraw_funds
from billing.commands.documents import draft_document as draft_document
from billing.commands.documents import number_documents as number_documents
from billing.commands.granting import refund_in_part as refund_in_part
from billing.commands.granting import refund_lines as refund_lines
from billing.commands.payers import change_payer as change_payer
from billing.commands.payers import forget_payers as forget_payers
from billing.commands.payers import record_payer as record_payer
from billing.commands.reducing import known_invoice
from billing.commands.reducing import refund_units as refund_units
from billing.commands.reducing import void_invoice as void_invoice
from billing.commands.refunding import issue_refund as issue_refund
from billing.commands.refunding import lock_refunds_and_invoices as lock_refunds_and_invoices
from billing.commands.refunding import record_refund as record_refund
from billing.commands.refunding import refunds_to_issue as refunds_to_issue
from billing.commands.refunding import request_refund as request_refund
from billing.commands.refunding import retry_refund as retry_refund
from billing.commands.refunding import settle_refund as settle_refund
from billing.commands.refunding import take_back_refund as take_back_refund
from billing.events import InvoicedLine, InvoicedTax
from billing.gateways import (
    Booked,
    CallBack,
    Charged,
    Declined,
    Disputed,
    OutcomeUnknown,
    provider,
)
from billing.models import (
    Invoice,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    ProviderEvent,
    Refund,
    id_of_key,
    invoice_of,
    payment_of,
)
from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain import clock
from integration.domain.errors import NotFound
from integration.domain.identifiers import (
    BuyerId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    RefundId,
)
from integration.domain.money import Money
from integration.storage.reading import read


def issue_invoice(
    order: OrderNumber,
    *,
    payer: BuyerId,
    payment_method: PaymentMethodId,
    lines: Sequence[InvoicedLine],
    discount: Money,
    shipping: Money,
    total: Money,
    taxes: Sequence[InvoicedTax] = (),
    prices_include_tax: bool | None = None,
) -> None:
    """Issue the invoice of an order; do nothing if it was issued before.

    Args:
        shipping: what is due for shipping, with its tax.
        total: what is due for the lines and for shipping, after `discount`.
        taxes: the tax in `total`, by rate.
        prices_include_tax: whether unit prices contain it; None if the taxes are not known.
    """
    facts: dict[str, Any] = {"discount": discount, "shipping": shipping, "total": total}
    facts |= {"taxes": taxes, "prices_include_tax": prices_include_tax}
    with unit_of_work() as work:
        if work.find(Invoice, invoice_of(order)) is None:
            work.add(Invoice.issue(order, payer=payer, payment_method=payment_method, lines=lines, **facts))


def lock_invoices(orders: Collection[OrderNumber]) -> None:
    """Lock the invoices of several orders."""
    with unit_of_work() as work:
        work.prefetch(Invoice, [invoice_of(order) for order in orders])


def lock_invoices_and_payments(orders: Collection[OrderNumber]) -> None:
    """Lock the invoices of several orders, and then their payments."""
    with unit_of_work() as work:
        work.prefetch(Invoice, [invoice_of(order) for order in orders])
        work.prefetch(Payment, [payment_of(order) for order in orders])


def lock_payments_and_invoices(orders: Collection[OrderNumber]) -> None:
    """Lock the payments of several orders, and then their invoices.

    `settle_payment` locks in the same order, so that the two cannot deadlock.
    """
    with unit_of_work() as work:
        work.prefetch(Payment, [payment_of(order) for order in orders])
        work.prefetch(Invoice, [invoice_of(order) for order in orders])


def request_payment(order: OrderNumber) -> None:
    """Request the payment of an order, once, because its stock is reserved; settle an invoice of zero at once.

    Raises:
        NotYet: the invoice is not issued yet.
    """
    with unit_of_work() as work:
        invoice = known_invoice(work, order)
        if not invoice.total:
            invoice.settle_without_payment()
        elif invoice.accepts("request_payment") and work.find(Payment, payment_of(order)) is None:
            work.add(Payment.request(invoice))


def payments_to_collect(ids: Collection[PaymentId]) -> Mapping[PaymentId, Payment]:
    """Read payments together with their invoices in one query; returns them by identifier."""
    return {PaymentId(payment.id): payment for payment in read(Payment, "id", ids, along="invoice")}


def collect_payment(payment: Payment) -> Callable[[], None]:
    """Charge a payment at the provider.

    If an earlier outcome is unknown, or the invoice is no longer open, the provider is first asked whether it took the
    money already.

    Returns:
        A function that records the outcome in a unit of work.

    Raises:
        OutcomeUnknown: the provider did not respond. The payment is recorded as unknown; try again with the same key.
    """
    id = PaymentId(payment.id)
    try:
        return partial(settle_payment, id, _ask_for_money(payment))
    except OutcomeUnknown:
        with unit_of_work() as work:
            work.get(Payment, id).lose_outcome()
        raise


def _ask_for_money(payment: Payment) -> Booked | None:
    """The provider's entry; None if it never took the money and the invoice is no longer open."""
    wanted = payment.invoice.status == InvoiceStatus.OPEN
    if payment.status == PaymentStatus.UNKNOWN or not wanted:
        booked = provider().find_charge(payment.idempotency_key)
        if booked or not wanted:
            return booked
    return provider().charge(payment.idempotency_key, PaymentMethodId(payment.method), payment.amount)


def settle_payment(id: PaymentId, booked: Booked | None) -> None:
    """Record what the provider has about a payment; None abandons it. Raises `NotFound`.

    The entry may come from our own request, from a callback or from reconciliation, and more than once. An entry that
    is not what was requested changes nothing and becomes a discrepancy.
    """
    with unit_of_work() as work:
        payment = work.get(Payment, id)
        if booked is None:
            payment.abandon()
            return
        finding = contradiction(payment, booked)
        if not finding and payment.status == PaymentStatus.UNKNOWN:
            finding = already_used(payment, booked)
        match booked.outcome:
            case _ if finding:
                note_discrepancy(id, finding)
            case Charged(reference):
                payment.succeed(reference)
            case Declined(code):
                payment.fail(code)


def settle_invoice(number: InvoiceNumber, payment: PaymentId, amount: Money) -> None:
    """Record that an invoice was paid; raises `NotFound`, `AmountMismatch`."""
    with unit_of_work() as work:
        work.get(Invoice, number).settle(payment, amount)


def note_call_back(provider_name: str, call_back: CallBack) -> None:
    """Process a callback of the provider, once for each event id.

    Args:
        provider_name: the provider that sent it, as in the URL.
        call_back: the callback, whose signature was checked.

    Raises:
        NotFound: no payment or refund has the callback's key, or no payment has the disputed charge.
        BooksDiffer: the callback is not about what was requested under this key. It is stored as a discrepancy.
    """
    booked = call_back.booked
    if booked is None:
        return
    ours: Payment | Refund | str
    with unit_of_work() as work:
        if isinstance(booked.outcome, Disputed):
            ours, finding = booked.outcome.reference, ""
            if _is_new(provider_name, call_back):
                finding = note_dispute(booked.outcome)
        else:
            ours = _row_of(work, booked)
            finding = contradiction(ours, booked) or already_used(ours, booked)
            if finding:
                note_discrepancy(ours.pk, finding)
            elif _is_new(provider_name, call_back):
                _settle(ours, booked)
    if finding:
        raise BooksDiffer(f"{ours}: {finding}")


def _is_new(provider_name: str, call_back: CallBack) -> bool:
    """Store that a callback is processed; returns False for one that was stored before."""
    facts = {"provider": provider_name, "kind": call_back.kind, "received_at": clock.now()}
    return ProviderEvent.objects.get_or_create(pk=call_back.id, defaults=facts)[1]


def _settle(ours: Payment | Refund, booked: Booked) -> None:
    if isinstance(ours, Refund):
        settle_refund(RefundId(ours.id), booked)
    else:
        settle_payment(PaymentId(ours.id), booked)


def _row_of(work: UnitOfWork, booked: Booked) -> Payment | Refund:
    """The payment or refund with the key of the provider's entry; raises `NotFound`."""
    for id in (id_of_key(booked.key), booked.key):
        row = work.find(Payment, id) or work.find(Refund, id)
        if row and (row.has_key(booked.key) if isinstance(row, Refund) else row.idempotency_key == booked.key):
            return row
    raise NotFound(f"there is nothing with the key {booked.key}")


def anonymize_invoices(orders: Collection[OrderNumber]) -> None:
    """Remove the payment methods of these orders, all of them ended; the number of SQL statements is constant."""
    with unit_of_work() as work:
        payments = work.get_many(Payment, [payment_of(order) for order in orders])
        invoices = work.get_many(Invoice, [invoice_of(order) for order in orders])
        for payment in payments.values():
            payment.anonymize()
        for invoice in invoices.values():
            invoice.anonymize()
        forget(Payment, payments)
        forget(Invoice, invoices)
