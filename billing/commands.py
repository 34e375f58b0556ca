"""What can be done in billing: one function a use case.

Most are one unit of work. Those that talk to the payment provider do so outside of any transaction, between two.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from billing.events import InvoicedLine
from billing.gateways import Booked, CallBack, Charged, Declined, OutcomeUnknown, Refunded, provider
from billing.models import (
    AmountMismatch,
    Discrepancy,
    Invoice,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    ProviderEvent,
    Refund,
    invoice_of,
    payment_of,
)
from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain import clock
from integration.domain.errors import NotFound, NotYet
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
    total: Money,
) -> None:
    """Write down what is owed for an order; nothing if that was done before."""
    with unit_of_work() as work:
        if work.find(Invoice, invoice_of(order)) is None:
            work.add(
                Invoice.issue(
                    order, payer=payer, payment_method=payment_method, lines=lines, discount=discount, total=total
                )
            )


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
    """Lock the payments of several orders, and then their invoices: so does whoever settles a payment."""
    with unit_of_work() as work:
        work.prefetch(Payment, [payment_of(order) for order in orders])
        work.prefetch(Invoice, [invoice_of(order) for order in orders])


def lock_refunds_and_invoices(refunds: Mapping[RefundId, OrderNumber]) -> None:
    """Lock several refunds, and then the invoices of their orders: so does whoever settles a refund."""
    with unit_of_work() as work:
        work.prefetch(Refund, refunds)
        work.prefetch(Invoice, {invoice_of(order) for order in refunds.values()})


def request_payment(order: OrderNumber) -> None:
    """The order's goods are set aside: ask for its money, once. Raises `NotYet` before the invoice is issued."""
    with unit_of_work() as work:
        invoice = _invoice(work, order)
        if invoice.accepts("request_payment") and work.find(Payment, payment_of(order)) is None:
            work.add(Payment.request(invoice))


def payments_to_collect(ids: Collection[PaymentId]) -> Mapping[PaymentId, Payment]:
    """Payments with their invoices, as they are now; one query."""
    return {PaymentId(payment.id): payment for payment in read(Payment, "id", ids, along="invoice")}


def collect_payment(payment: Payment) -> Callable[[], None]:
    """Have the provider take the money.

    If the line was cut before, or the order was cancelled in the meantime, the provider is first asked whether it took
    the money already.

    Returns:
        What writes down what came of it.

    Raises:
        OutcomeUnknown: the line was cut, and that is written down; to be tried again, under the same key.
    """
    id = PaymentId(payment.id)
    try:
        return partial(settle_payment, id, _ask_for_money(payment))
    except OutcomeUnknown:
        with unit_of_work() as work:
            work.get(Payment, id).lose_outcome()
        raise


def _ask_for_money(payment: Payment) -> Charged | Declined | None:
    """What the provider says; None if it never took the money and is no longer to."""
    wanted = payment.invoice.status == InvoiceStatus.OPEN
    if payment.status == PaymentStatus.UNKNOWN or not wanted:
        outcome = provider().find_charge(payment.id)
        if outcome or not wanted:
            return outcome
    return provider().charge(payment.id, PaymentMethodId(payment.method), payment.amount)


def settle_payment(id: PaymentId, outcome: Charged | Declined | None) -> None:
    """Write down what came of a payment, from whichever side it was heard first; raises `NotFound`."""
    with unit_of_work() as work:
        payment = work.get(Payment, id)
        match outcome:
            case Charged(reference):
                payment.succeed(reference)
            case Declined(code):
                payment.fail(code)
            case None:
                payment.abandon()


def settle_invoice(number: InvoiceNumber, payment: PaymentId, amount: Money) -> None:
    """The invoice's money came in; raises `AmountMismatch`."""
    with unit_of_work() as work:
        work.get(Invoice, number).settle(payment, amount)


def void_invoice(order: OrderNumber, reason: str) -> None:
    """The order is cancelled: void its invoice, or give back what was paid. Raises `NotYet` before it is issued."""
    with unit_of_work() as work:
        _invoice(work, order).void(reason)


def refund_in_part(number: InvoiceNumber, amount: Money, reason: str) -> Invoice:
    """Give some of what was paid for an invoice back, though its order stands; asked twice, it is given twice.

    Raises:
        NotFound: there is no such invoice.
        NotAllowed: nothing was paid, or all of it is given back.
        MoreThanIsLeft: it is more than was paid and is not owed back yet, or nothing at all.
        CurrencyMismatch: the invoice is in another currency.
    """
    with unit_of_work() as work:
        invoice = work.get(Invoice, number)
        invoice.refund_in_part(amount, reason)
    return invoice


def request_refund(
    refund: RefundId, invoice: InvoiceNumber, payment: PaymentId, order: OrderNumber, amount: Money, reason: str
) -> None:
    """Have money given back."""
    with unit_of_work() as work:
        work.add(Refund.request(refund, invoice, payment, order, amount, reason))


def refunds_to_issue(ids: Collection[RefundId]) -> Mapping[RefundId, Refund]:
    """Refunds with the payments they are given back out of; one query."""
    return {RefundId(refund.id): refund for refund in read(Refund, "id", ids, along="payment")}


def issue_refund(refund: Refund) -> Callable[[], None]:
    """Have the provider give money back; returns what writes down that it did.

    Raises:
        OutcomeUnknown: the line was cut; to be tried again, under the same key.
    """
    reference = provider().refund(refund.id, refund.payment.reference, refund.amount)
    return partial(settle_refund, RefundId(refund.id), reference)


def settle_refund(id: RefundId, reference: str) -> None:
    """Write down that money was given back, from whichever side it was heard first; raises `NotFound`."""
    with unit_of_work() as work:
        work.get(Refund, id).settle(reference)


def record_refund(invoice: InvoiceNumber, refund: RefundId, amount: Money) -> None:
    """Money went back for the invoice."""
    with unit_of_work() as work:
        work.get(Invoice, invoice).record_refund(refund, amount)


def note_call_back(provider_name: str, call_back: CallBack) -> None:
    """Act upon what the provider told of its own accord, once for each of its events.

    Raises:
        NotFound: nothing of ours was asked under that key.
        AmountMismatch: the provider moved another amount than was asked for.
    """
    booked = call_back.booked
    with unit_of_work() as work:
        _, is_new = ProviderEvent.objects.get_or_create(
            pk=call_back.id,
            defaults={"provider": provider_name, "kind": call_back.kind, "received_at": clock.now()},
        )
        if not is_new:
            return
        ours = _asked_under(work, booked)
        ours.require(ours.amount == booked.amount, AmountMismatch)
        if isinstance(booked.outcome, Refunded):
            settle_refund(RefundId(booked.key), booked.outcome.reference)
        else:
            settle_payment(PaymentId(booked.key), booked.outcome)


def _asked_under(work: UnitOfWork, booked: Booked) -> Payment | Refund:
    if isinstance(booked.outcome, Refunded):
        return work.get(Refund, booked.key)
    return work.get(Payment, booked.key)


def anonymize_invoices(orders: Collection[OrderNumber]) -> None:
    """Forget how these orders, all of them at their end, were paid; no more statements for many than for one."""
    with unit_of_work() as work:
        payments = work.get_many(Payment, [payment_of(order) for order in orders])
        invoices = work.get_many(Invoice, [invoice_of(order) for order in orders])
        for payment in payments.values():
            payment.anonymize()
        for invoice in invoices.values():
            invoice.anonymize()
        forget(Payment, payments)
        forget(Invoice, invoices)


def settle_discrepancy(subject: str, settlement: str) -> None:
    """Somebody looked at a difference between the books, and says what was done about it; raises `NotFound`."""
    open_ones = Discrepancy.objects.filter(pk=subject, settled_at=None)
    if not open_ones.update(settled_at=clock.now(), settlement=settlement):
        raise NotFound(f"there is no open discrepancy about {subject}")


def _invoice(work: UnitOfWork, order: OrderNumber) -> Invoice:
    invoice = work.find(Invoice, invoice_of(order))
    if invoice is None:
        raise NotYet(f"order {order} has no invoice yet")
    return invoice
