"""Billing's commands: one function for each use case.

Most commands are one unit of work. `issue_refund`, like `collect_payment`, calls the payment provider while no
transaction is open; it returns a function that records the outcome in a second unit of work.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from billing.commands.capturing import authorization_of as authorization_of
from billing.commands.capturing import authorize_invoice as authorize_invoice
from billing.commands.capturing import capture_for as capture_for
from billing.commands.capturing import captures_to_make as captures_to_make
from billing.commands.capturing import close_payment as close_payment
from billing.commands.capturing import fail_capture as fail_capture
from billing.commands.capturing import is_to_be_released as is_to_be_released
from billing.commands.capturing import lapse_authorizations as lapse_authorizations
from billing.commands.capturing import lapse_invoice as lapse_invoice
from billing.commands.capturing import lock_captures as lock_captures
from billing.commands.capturing import make_capture as make_capture
from billing.commands.capturing import payments_to_release as payments_to_release
from billing.commands.capturing import record_capture as record_capture
from billing.commands.capturing import release_authorization as release_authorization
from billing.commands.capturing import request_capture as request_capture
from billing.commands.capturing import settle_capture as settle_capture
from billing.commands.discrepancies import BooksDiffer, already_used, contradiction, note_discrepancy
from billing.commands.discrepancies import settle_discrepancy as settle_discrepancy
from billing.commands.disputes import close_dispute as close_dispute
from billing.commands.disputes import note_dispute as note_dispute
from billing.commands.disputes import withdraw_funds as withdraw_funds
from billing.commands.documents import draft_document as draft_document
from billing.commands.documents import number_documents as number_documents
from billing.commands.granting import refund_in_part as refund_in_part
from billing.commands.granting import refund_lines as refund_lines
from billing.commands.methods import add_payment_method as add_payment_method
from billing.commands.methods import find_method as find_method
from billing.commands.methods import forget_payment_methods as forget_payment_methods
from billing.commands.methods import remove_payment_method as remove_payment_method
from billing.commands.payers import change_payer as change_payer
from billing.commands.payers import forget_payers as forget_payers
from billing.commands.payers import record_payer as record_payer
from billing.commands.payments import all_payments_of
from billing.commands.payments import collect_payment as collect_payment
from billing.commands.payments import end_payment as end_payment
from billing.commands.payments import is_called_off as is_called_off
from billing.commands.payments import payment_now as payment_now
from billing.commands.payments import payments_to_collect as payments_to_collect
from billing.commands.payments import request_payment as request_payment
from billing.commands.payments import retry_payment as retry_payment
from billing.commands.payments import settle_payment as settle_payment
from billing.commands.payments import unsettled_payments as unsettled_payments
from billing.commands.payments import waiting_payment as waiting_payment
from billing.commands.proposing import approve_refund as approve_refund
from billing.commands.proposing import ask_for_refund as ask_for_refund
from billing.commands.proposing import refuse_refund as refuse_refund
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
from billing.gateways import Booked, CallBack, Disputed
from billing.gateways import provider as provider
from billing.models import (
    Capture,
    Invoice,
    Payment,
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
    CaptureId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    RefundId,
)
from integration.domain.money import Money


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


def lock_invoices_to_void(orders: Collection[OrderNumber]) -> None:
    """Lock the invoices of several orders, and then look at their payments without a lock."""
    with unit_of_work() as work:
        work.prefetch(Invoice, [invoice_of(order) for order in orders])
        work.look_ahead({Payment: [payment_of(order) for order in orders]})


def lock_invoices_and_payments(orders: Collection[OrderNumber]) -> None:
    """Lock the invoices of several orders, and then their payments."""
    with unit_of_work() as work:
        work.prefetch(Invoice, [invoice_of(order) for order in orders])
        work.prefetch(Payment, [payment_of(order) for order in orders])


def lock_payments_and_invoices(payments: Mapping[PaymentId, OrderNumber]) -> None:
    """Lock payments, and then the invoices of their orders.

    `settle_payment` locks in the same order, so that the two cannot deadlock.
    """
    with unit_of_work() as work:
        work.prefetch(Payment, payments)
        work.prefetch(Invoice, {invoice_of(order) for order in payments.values()})


def lock_all_payments_and_invoices(orders: Collection[OrderNumber]) -> None:
    """Lock all payments of several orders, and then their invoices, as `lock_payments_and_invoices` does."""
    with unit_of_work() as work:
        work.prefetch(Payment, {*all_payments_of(orders), *map(payment_of, orders)})
        work.prefetch(Invoice, [invoice_of(order) for order in orders])


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
        NotFound: no payment, refund or capture has the callback's key, or no payment has the disputed charge.
        BooksDiffer: the callback is not about what was requested under this key. It is stored as a discrepancy.
    """
    booked = call_back.booked
    if booked is None:
        return
    ours: Payment | Refund | Capture | str
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


def _settle(ours: Payment | Refund | Capture, booked: Booked) -> None:
    if isinstance(ours, Refund):
        settle_refund(RefundId(ours.id), booked)
    elif isinstance(ours, Capture):
        settle_capture(CaptureId(ours.id), booked)
    else:
        settle_payment(PaymentId(ours.id), booked)


def _row_of(work: UnitOfWork, booked: Booked) -> Payment | Refund | Capture:
    """The payment, refund or capture with the key of the provider's entry; raises `NotFound`."""
    for id in (id_of_key(booked.key), booked.key):
        row = work.find(Payment, id) or work.find(Refund, id) or work.find(Capture, id)
        if row and (row.has_key(booked.key) if isinstance(row, Refund) else row.idempotency_key == booked.key):
            return row
    raise NotFound(f"there is nothing with the key {booked.key}")


def anonymize_invoices(orders: Collection[OrderNumber]) -> None:
    """Remove the payment methods of these orders, all of them ended; the number of SQL statements is constant.

    Call it once their payments and invoices are locked.
    """
    with unit_of_work() as work:
        invoices = work.get_many(Invoice, [invoice_of(order) for order in orders])
        tries = [(OrderNumber(each.order), n) for each in invoices.values() for n in range(1, each.attempts + 1)]
        payments = work.get_many(Payment, [payment_of(order, attempt) for order, attempt in tries])
        for payment in payments.values():
            payment.anonymize()
        for invoice in invoices.values():
            invoice.anonymize()
        forget(Payment, payments)
        forget(Invoice, invoices)
