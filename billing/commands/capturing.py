"""Captures of authorized money: how they are requested as goods leave, and what is done with what is left.

What changes a capture locks the capture, then its payment, then its invoice.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from functools import partial

from billing import events
from billing.commands.discrepancies import contradiction, note_discrepancy, open_discrepancies
from billing.commands.payments import all_payments_of, settle_payment
from billing.commands.reducing import known_invoice
from billing.gateways import Authorized, Booked, Captured, Declined, Expired, Voided, provider
from billing.models import HELD, Capture, CaptureStatus, Invoice, Payment, PaymentStatus, invoice_of
from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.billing import AuthorizationChanged
from integration.domain import clock
from integration.domain.identifiers import CaptureId, InvoiceNumber, OrderNumber, PaymentId, ShipmentId, Sku
from integration.domain.metadata import join_story
from integration.domain.money import Money
from integration.storage.reading import read

LAPSES_EARLIER = timedelta(days=1)
"""How long before the provider releases an authorization nothing more is to leave."""

AT_ONCE = 100
"""How many authorizations one run lets lapse; the next run, a minute later, takes more."""


def lock_captures(captures: Mapping[CaptureId, OrderNumber]) -> None:
    """Lock several captures, then the payments and the invoices of their orders."""
    with unit_of_work() as work:
        work.prefetch(Capture, captures)
        work.prefetch(Payment, all_payments_of(set(captures.values())))
        work.prefetch(Invoice, {invoice_of(order) for order in captures.values()})


def authorize_invoice(number: InvoiceNumber, payment: PaymentId, amount: Money) -> None:
    """Record that the money for an invoice is authorized; raises `NotFound`, `AmountMismatch`."""
    with unit_of_work() as work:
        work.get(Invoice, number).authorize(payment, amount)


def capture_for(order: OrderNumber, shipment: ShipmentId, units: Mapping[Sku, int]) -> None:
    """Capture what the goods cost that left in a shipment; all that is authorized, if only one capture is possible.

    Args:
        units: the units in the shipment, by SKU.

    Raises:
        NotYet: the order's money is not authorized yet.
    """
    with unit_of_work() as work:
        invoice = known_invoice(work, order)
        invoice.capture(invoice.paying, shipment, units, all_of_it=provider().captures == "once")


def request_capture(owed: events.InvoiceCaptureOwed) -> None:
    """Create a capture that the provider is still to be asked for."""
    with unit_of_work() as work:
        work.add(Capture.request(owed))


def captures_to_make(ids: Collection[CaptureId]) -> Mapping[CaptureId, Capture]:
    """Read captures together with their payments in one query; returns them by identifier."""
    return {CaptureId(capture.id): capture for capture in read(Capture, "id", ids, along="payment")}


def make_capture(capture: Capture) -> Callable[[], None]:
    """Have the provider take the money.

    Returns:
        A function that records the outcome in a unit of work.

    Raises:
        OutcomeUnknown: the provider did not respond; try again with the same key.
    """
    booked = provider().capture(capture.idempotency_key, capture.payment.reference, capture.amount)
    return partial(settle_capture, CaptureId(capture.id), booked)


def settle_capture(id: CaptureId, booked: Booked) -> None:
    """Record what became of a capture at the provider; raises `NotFound`.

    The entry may come from our own request, from a callback or from reconciliation, and more than once. An entry that
    is not what was requested changes nothing and becomes a discrepancy.
    """
    with unit_of_work() as work:
        capture = work.get(Capture, id)
        match booked.outcome, contradiction(capture, booked):
            case Captured(reference), "":
                capture.settle(reference)
            case Declined(code), "":
                capture.fail(code)
            case _, finding:
                note_discrepancy(id, finding)


def record_capture(settled: events.CaptureSettled) -> None:
    """Record a capture on its payment and its invoice, and settle the tasks of captures that failed before it."""
    with unit_of_work() as work:
        payment = work.get(Payment, settled.payment)
        payment.record_capture(settled.capture, settled.amount)
        if payment.status not in HELD:  # the provider ended the authorization before it reported this capture
            payment.close(PaymentStatus.VOIDED)
        invoice = work.get(Invoice, settled.invoice)
        invoice.record_capture(settled.payment, settled.capture, settled.amount, was_failed=settled.was_failed)
        if (invoice.capture_count or 0) > 1 and not invoice.to_capture:
            failed = Capture.objects.filter(invoice=invoice.number, status=CaptureStatus.FAILED).values("pk")
            open_discrepancies().filter(subject__in=failed).update(
                settled_at=clock.now(), settlement=f"{settled.capture} captured it.", settled_by="billing"
            )


def fail_capture(failed: events.CaptureFailed) -> None:
    """Record that goods left whose money was not captured, and leave it to an operator with a proposal.

    The authorization counts as lapsed from now on, so that nothing more leaves without its money.
    """
    with unit_of_work() as work:
        payment, invoice = work.get(Payment, failed.payment), work.get(Invoice, failed.invoice)
        invoice.fail_capture(failed.capture, failed.amount)
        payment.lapse()
    note_discrepancy(
        failed.capture,
        f"{failed.shipment} has left, and its {failed.amount} were not captured: {failed.reason}. "
        "Ask the buyer to pay in another way, or write it off.",
    )


def authorization_of(number: InvoiceNumber) -> AuthorizationChanged:
    """The contract that says how much is authorized, captured and released now."""
    with unit_of_work() as work:
        invoice = work.get(Invoice, number)
    return AuthorizationChanged(
        order=OrderNumber(invoice.order),
        payment=invoice.paying,
        authorized=invoice.held,
        captured=invoice.paid,
        released=invoice.released,
        sequence=invoice.version,
    )


def is_to_be_released(number: InvoiceNumber) -> bool:
    """Whether an authorization of an invoice is known, and nothing of it is left to capture."""
    with unit_of_work() as work:
        invoice = work.get(Invoice, number)
    return invoice.is_authorized and not invoice.to_capture


def payments_to_release(orders: Collection[OrderNumber]) -> Mapping[OrderNumber, Payment]:
    """Read the payments of these orders in one query; by order."""
    payments = read(Payment, "order", orders, along="invoice")
    return {OrderNumber(payment.order): payment for payment in payments if payment.id == payment.invoice.paying}


def release_authorization(payment: Payment) -> Callable[[], None]:
    """Have the provider release what is not captured of a payment, and will not be.

    Returns:
        A function that records in a unit of work how the authorization ended.

    Raises:
        OutcomeUnknown: the provider did not respond; try again.
    """
    id = PaymentId(payment.id)
    if payment.captured == payment.amount:
        return partial(close_payment, id, PaymentStatus.VOIDED)
    booked = provider().void(f"{payment.idempotency_key}-void", payment.reference)
    match booked.outcome:
        case Authorized() | Voided():
            return partial(close_payment, id, PaymentStatus.VOIDED)
        case Expired():
            return partial(close_payment, id, PaymentStatus.EXPIRED)
        case _:
            return partial(settle_payment, id, booked)


def close_payment(id: PaymentId, how: str) -> None:
    """Record that nothing can be captured of a payment any more; `how` as in `Payment.close`."""
    with unit_of_work() as work:
        work.get(Payment, id).close(how)


def lapse_authorizations() -> int:
    """Let the authorizations lapse that the provider releases within a day; returns how many did."""
    ends = clock.now() + LAPSES_EARLIER
    ending = Payment.objects.filter(status=PaymentStatus.AUTHORIZED, expires_at__lte=ends).order_by("expires_at")
    ids = [PaymentId(id) for id in ending.values_list("pk", flat=True)[:AT_ONCE]]
    for id in ids:
        with unit_of_work() as work:
            payment = work.get(Payment, id)
            join_story(payment.correlation_id)
            payment.lapse()
    return len(ids)


def lapse_invoice(number: InvoiceNumber, payment: PaymentId) -> None:
    """Record that the authorization of an invoice ends; raises `NotFound`."""
    with unit_of_work() as work:
        work.get(Invoice, number).lapse(payment)
