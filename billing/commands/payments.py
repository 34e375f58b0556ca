"""The commands that collect the payment of an order.

`collect_payment` calls the payment provider while no transaction is open; it returns a function that records the
outcome in a second unit of work.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial

from django.conf import settings

from billing.commands.discrepancies import already_used, contradiction, note_discrepancy
from billing.commands.reducing import known_invoice
from billing.gateways import (
    ActionRequired,
    Authorized,
    Booked,
    Charged,
    Declined,
    Expired,
    OutcomeUnknown,
    Pending,
    Voided,
    provider,
)
from billing.models import (
    UNSETTLED,
    WAITING,
    InvoiceStatus,
    Payment,
    PaymentMethod,
    PaymentMethodStatus,
    PaymentStatus,
    is_own,
    payment_of,
)
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import OrderNumber, PaymentId, PaymentMethodId
from integration.storage.reading import read


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
            work.add(Payment.request(invoice, at_dispatch=settings.CAPTURE == "at_dispatch"))


def retry_payment(order: OrderNumber, method: PaymentMethodId, attempt: int) -> None:
    """Request another payment of an order, with another method; do nothing if its invoice is not open any longer.

    Raises:
        NotYet: the invoice is not issued yet.
    """
    with unit_of_work() as work:
        invoice = known_invoice(work, order)
        if invoice.retry_payment(method, attempt):
            work.add(Payment.request(invoice, at_dispatch=settings.CAPTURE == "at_dispatch"))


def all_payments_of(orders: Collection[OrderNumber]) -> list[PaymentId]:
    """The identifiers of the payments of several orders, in one query; each try of a buyer is one."""
    payments = Payment.objects.filter(order__in=orders).order_by("id")
    return [PaymentId(id) for id in payments.values_list("id", flat=True)]


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
    may_charge = payment.status in (PaymentStatus.REQUESTED, PaymentStatus.UNKNOWN)
    wanted = may_charge and payment.invoice.status == InvoiceStatus.OPEN
    if payment.status == PaymentStatus.UNKNOWN or not wanted:
        booked = provider().find_charge(payment.idempotency_key)
        if booked or not wanted:
            return booked
    token = _token_of(PaymentMethodId(payment.method))
    if token is None:
        removed = Booked(payment.idempotency_key, Declined("payment_method_removed"), payment.amount)
        return provider().find_charge(payment.idempotency_key) or removed
    if payment.at_dispatch:
        return provider().charge(payment.idempotency_key, token, payment.amount, capture=False)
    return provider().charge(payment.idempotency_key, token, payment.amount)


def _token_of(method: PaymentMethodId) -> PaymentMethodId | None:
    """The provider's name of a payment method; None if its buyer has removed it."""
    if not is_own(method):
        return method
    known = PaymentMethod.objects.filter(pk=method, status=PaymentMethodStatus.ACTIVE)
    token = known.values_list("token", flat=True).first()
    return PaymentMethodId(token) if token else None


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
            case Authorized(reference, capture_before):
                payment.authorize(reference, capture_before)
            case Declined(code):
                payment.fail(code)
            case ActionRequired(reference, kind, expires_at, url, details):
                payment.require_action(reference, kind, expires_at, url, details)
            case Pending(reference, expires_at):
                payment.await_money(reference, expires_at)
            case Expired() if payment.is_authorization:
                payment.end_authorization(PaymentStatus.EXPIRED)
            case Voided():
                payment.end_authorization(PaymentStatus.VOIDED)
            case Expired():
                payment.expire()


def unsettled_payments(orders: Collection[OrderNumber]) -> Mapping[OrderNumber, Payment]:
    """Read the payments of these orders of which nobody knows yet whether the money comes, in one query; by order.

    An order has at most one: another one is requested only after it has failed.
    """
    payments = read(Payment, "order", orders, along="invoice")
    return {OrderNumber(payment.order): payment for payment in payments if payment.status in UNSETTLED}


def end_payment(payment: Payment) -> Callable[[], None]:
    """Have the provider cancel a payment, because its time is over or its order was cancelled.

    Returns:
        A function that records in a unit of work what became of it: it expired, or the money came.

    Raises:
        OutcomeUnknown: the provider did not respond, or cannot cancel because the money is on its way; try again.
    """
    id = PaymentId(payment.id)
    booked = provider().cancel(payment.idempotency_key)
    if booked is None:
        return partial(expire_payment, id)
    if isinstance(booked.outcome, ActionRequired | Pending):
        raise OutcomeUnknown(f"the provider cannot cancel {id} yet")
    return partial(settle_payment, id, booked)


def expire_payment(id: PaymentId) -> None:
    """Record that the provider does not know a payment, and that it will not be charged any more."""
    with unit_of_work() as work:
        work.get(Payment, id).expire()


def payment_now(id: PaymentId) -> Payment:
    """A payment with the changes of this unit of work, which are written at its end; raises `NotFound`."""
    with unit_of_work() as work:
        return work.get(Payment, id)


def is_called_off(order: OrderNumber) -> bool:
    """Whether the invoice of an order is void. It is locked, so that it does not become void at the same time."""
    with unit_of_work() as work:
        return known_invoice(work, order).status == InvoiceStatus.VOID


def waiting_payment(order: OrderNumber) -> PaymentId | None:
    """The payment of an order that waits for the buyer or their bank. Call it while the invoice is locked."""
    with unit_of_work() as work:
        current = known_invoice(work, order).current_payment
        payment = work.look_at(Payment, [current]).get(current)
    return PaymentId(payment.id) if payment is not None and payment.status in WAITING else None
