"""Billing's commands: one function for each use case.

Most commands are one unit of work. `collect_payment` and `issue_refund` call the payment provider while no transaction
is open; they return a function that records the outcome in a second unit of work.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from billing.commands.discrepancies import BooksDiffer, already_used, contradiction, note_discrepancy
from billing.commands.discrepancies import settle_discrepancy as settle_discrepancy
from billing.commands.granting import refund_in_part as refund_in_part
from billing.commands.granting import refund_lines as refund_lines
from billing.commands.payers import change_payer as change_payer
from billing.commands.reducing import known_invoice
from billing.commands.reducing import refund_units as refund_units
from billing.commands.reducing import void_invoice as void_invoice
from billing.events import InvoicedLine
from billing.gateways import Booked, CallBack, Charged, Declined, OutcomeUnknown, Refunded, provider
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
) -> None:
    """Issue the invoice of an order; do nothing if it was issued before.

    Args:
        shipping: what is due for shipping, with its tax.
        total: what is due for the lines and for shipping, after `discount`.
    """
    amounts = {"discount": discount, "shipping": shipping, "total": total}
    with unit_of_work() as work:
        if work.find(Invoice, invoice_of(order)) is None:
            work.add(Invoice.issue(order, payer=payer, payment_method=payment_method, lines=lines, **amounts))


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


def lock_refunds_and_invoices(refunds: Mapping[RefundId, OrderNumber]) -> None:
    """Lock several refunds, and then the invoices of their orders.

    `settle_refund` locks in the same order, so that the two cannot deadlock.
    """
    with unit_of_work() as work:
        work.prefetch(Refund, refunds)
        work.prefetch(Invoice, {invoice_of(order) for order in refunds.values()})


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


def request_refund(
    refund: RefundId, invoice: InvoiceNumber, payment: PaymentId, order: OrderNumber, amount: Money, reason: str
) -> None:
    """Create a refund that the provider is still to be asked for."""
    with unit_of_work() as work:
        work.add(Refund.request(refund, invoice, payment, order, amount, reason))


def refunds_to_issue(ids: Collection[RefundId]) -> Mapping[RefundId, Refund]:
    """Read refunds together with their payments in one query; returns them by identifier."""
    return {RefundId(refund.id): refund for refund in read(Refund, "id", ids, along="payment")}


def issue_refund(refund: Refund) -> Callable[[], None]:
    """Have the provider issue a refund.

    Returns:
        A function that records the refund in a unit of work.

    Raises:
        OutcomeUnknown: the provider did not respond; try again with the same key.
    """
    booked = provider().refund(refund.idempotency_key, refund.payment.reference, refund.amount)
    return partial(settle_refund, RefundId(refund.id), booked)


def settle_refund(id: RefundId, booked: Booked) -> None:
    """Record that the provider issued a refund; raises `NotFound`.

    The entry may come from our own request, from a callback or from reconciliation, and more than once. An entry that
    is not what was requested changes nothing and becomes a discrepancy.
    """
    with unit_of_work() as work:
        refund = work.get(Refund, id)
        match booked.outcome, contradiction(refund, booked):
            case Refunded(reference), "":
                refund.settle(reference)
            case _, finding if finding:
                note_discrepancy(id, finding)


def record_refund(invoice: InvoiceNumber, refund: RefundId, amount: Money) -> None:
    """Record an issued refund on its invoice; raises `NotFound`."""
    with unit_of_work() as work:
        work.get(Invoice, invoice).record_refund(refund, amount)


def note_call_back(provider_name: str, call_back: CallBack) -> None:
    """Process a callback of the provider, once for each event id.

    Args:
        provider_name: the provider that sent it, as in the URL.
        call_back: the callback, whose signature was checked.

    Raises:
        NotFound: no payment or refund has the callback's key.
        BooksDiffer: the callback is not about what was requested under this key. It is stored as a discrepancy.
    """
    booked = call_back.booked
    if booked is None:
        return
    with unit_of_work() as work:
        ours = _row_of(work, booked)
        finding = contradiction(ours, booked) or already_used(ours, booked)
        if finding:
            note_discrepancy(ours.pk, finding)
        elif ProviderEvent.objects.get_or_create(
            pk=call_back.id,
            defaults={"provider": provider_name, "kind": call_back.kind, "received_at": clock.now()},
        )[1]:
            if isinstance(ours, Refund):
                settle_refund(RefundId(ours.id), booked)
            else:
                settle_payment(PaymentId(ours.id), booked)
    if finding:
        raise BooksDiffer(f"{ours}: {finding}")


def _row_of(work: UnitOfWork, booked: Booked) -> Payment | Refund:
    """The payment or refund with the key of the provider's entry; raises `NotFound`."""
    for id in (id_of_key(booked.key), booked.key):
        row = work.find(Payment, id) or work.find(Refund, id)
        if row and row.idempotency_key == booked.key:
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
