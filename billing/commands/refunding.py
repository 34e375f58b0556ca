"""Refunds: how one is requested, how the provider is asked for it, and how its outcome is recorded."""

from collections.abc import Callable, Collection, Mapping
from functools import partial

from billing.commands.discrepancies import contradiction, note_discrepancy, open_discrepancies
from billing.commands.disputes import judge_by_disputes
from billing.gateways import Booked, Refunded, RefundFailed, RefundPending, provider
from billing.models import Invoice, Refund, RefundStatus, invoice_of
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.identifiers import InvoiceNumber, OrderNumber, PaymentId, RefundId
from integration.domain.metadata import current_cause
from integration.domain.money import Money
from integration.storage.reading import read

FAILED = "the provider could not refund"


def lock_refunds_and_invoices(refunds: Mapping[RefundId, OrderNumber]) -> None:
    """Lock several refunds, and then the invoices of their orders.

    `settle_refund` locks in the same order, so that the two cannot deadlock.
    """
    with unit_of_work() as work:
        work.prefetch(Refund, refunds)
        work.prefetch(Invoice, {invoice_of(order) for order in refunds.values()})


def request_refund(
    refund: RefundId, invoice: InvoiceNumber, payment: PaymentId, order: OrderNumber, amount: Money, reason: str
) -> None:
    """Create a refund that the provider is still to be asked for, unless a dispute holds or settles it."""
    with unit_of_work() as work:
        requested = Refund.request(refund, invoice, payment, order, amount, reason)
        work.add(requested)
        judge_by_disputes(requested, work.get(Invoice, invoice))


def refunds_to_issue(ids: Collection[RefundId]) -> Mapping[RefundId, Refund]:
    """Read refunds together with their payments in one query; returns them by identifier."""
    return {RefundId(refund.id): refund for refund in read(Refund, "id", ids, along="payment")}


def issue_refund(refund: Refund) -> Callable[[], None]:
    """Have the provider issue a refund, unless a dispute holds or has settled it.

    Returns:
        A function that records the refund in a unit of work.

    Raises:
        OutcomeUnknown: the provider did not respond; try again with the same key.
    """
    if refund.status in (RefundStatus.BLOCKED, RefundStatus.SETTLED):
        return _nothing
    booked = provider().refund(refund.idempotency_key, refund.payment.reference, refund.amount)
    return partial(settle_refund, RefundId(refund.id), booked)


def _nothing() -> None:
    """Record nothing: the end of the dispute requests the refund again."""


def settle_refund(id: RefundId, booked: Booked) -> None:
    """Record what became of a refund at the provider; raises `NotFound`.

    The entry may come from our own request, from a callback or from reconciliation, and more than once. A refund that
    was issued may fail days later. An entry of an attempt that failed before changes nothing. One that is not what was
    requested changes nothing either, and becomes a discrepancy.
    """
    with unit_of_work() as work:
        refund = work.get(Refund, id)
        match booked.outcome, contradiction(refund, booked):
            case _ if booked.key in (refund.earlier_keys or ()):
                pass
            case Refunded(reference), "":
                refund.settle(reference)
            case RefundPending(reference), "":
                refund.pend(reference)
            case RefundFailed(reference, code), "":
                refund.fail(reference, code)
            case _, finding:
                note_discrepancy(id, finding)


def record_refund(invoice: InvoiceNumber, refund: RefundId, amount: Money) -> None:
    """Record an issued refund on its invoice; raises `NotFound`."""
    with unit_of_work() as work:
        owed = work.get(Invoice, invoice)
        if work.get(Refund, refund).payment_id == owed.paying:
            owed.record_refund(refund, amount)
        else:
            owed.return_surplus(refund, amount)


def take_back_refund(invoice: InvoiceNumber, refund: RefundId, amount: Money, reason: str, *, was_issued: bool) -> None:
    """Record a failed refund on its invoice if it counted as issued, and leave it to an operator; raises `NotFound`.

    The credit note stays: the order owes that much less, whether the money has reached the buyer or not.
    """
    with unit_of_work() as work:
        if was_issued:
            owed = work.get(Invoice, invoice)
            if work.get(Refund, refund).payment_id == owed.paying:
                owed.take_back_refund(refund, amount)
            else:
                owed.take_back_surplus(refund, amount)
    note_discrepancy(refund, f"{FAILED} {amount}: {reason}. Request it again, or pay it in another way.")


def retry_refund(refund: RefundId) -> Refund:
    """Request a failed refund again, under a new key at the provider, and settle the task that it was.

    Raises:
        NotFound: there is no such refund.
        NotAllowed: it has not failed.
    """
    with unit_of_work() as work:
        retried = work.get(Refund, refund)
        retried.retry()
        open_discrepancies().filter(pk=refund).update(
            settled_at=clock.now(), settlement="It was requested again.", settled_by=current_cause().actor
        )
    return retried
