"""Sends buyers e-mails about their orders, if they have an e-mail address and want to be notified."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from integration import contracts
from integration.domain.identifiers import OrderNumber
from integration.policies import whenever
from ordering import commands
from ordering.commands import EmailBatch
from ordering.models import CancellationReason
from ordering.policies.saga import AboutAnOrder

WHY_CANCELLED = {
    CancellationReason.OUT_OF_STOCK: "some of the goods are out of stock",
    CancellationReason.PAYMENT_FAILED: "the payment was declined",
    CancellationReason.PAYMENT_TIMEOUT: "the payment did not arrive in time",
    CancellationReason.BY_BUYER: "you asked us to",
    CancellationReason.BY_OPERATOR: "we had to",
}


def email_batch(batch: Sequence[AboutAnOrder]) -> AbstractContextManager[EmailBatch]:
    """Read the addresses of the buyers of a batch with one query, and share one connection to the mail server."""
    return commands.email_batch([event.order for event in batch])


@whenever(
    contracts.ordering.OrderConfirmed, name="ordering.tell-buyer-of-confirmation", external=True, read=email_batch
)
def notify_buyer_of_confirmation(event: contracts.ordering.OrderConfirmed, emails: EmailBatch) -> None:
    _notify_buyer(emails, event.order, "confirmed", "We have received your payment and are packing your order.")


@whenever(
    contracts.ordering.OrderCancelled, name="ordering.tell-buyer-of-cancellation", external=True, read=email_batch
)
def notify_buyer_of_cancellation(event: contracts.ordering.OrderCancelled, emails: EmailBatch) -> None:
    why = WHY_CANCELLED[CancellationReason(event.reason)]
    _notify_buyer(
        emails,
        event.order,
        "cancelled",
        f"It was cancelled because {why}. If you have already paid, we will refund you.",
    )


@whenever(
    contracts.fulfillment.ShipmentDispatched, name="ordering.tell-buyer-of-dispatch", external=True, read=email_batch
)
def notify_buyer_of_dispatch(event: contracts.fulfillment.ShipmentDispatched, emails: EmailBatch) -> None:
    how = f"{event.carrier} is bringing it; the tracking number is {event.tracking_number}."
    _notify_buyer(emails, event.order, f"on its way ({event.shipment})", how)


@whenever(contracts.billing.RefundIssued, name="ordering.tell-buyer-of-refund", external=True, read=email_batch)
def notify_buyer_of_refund(event: contracts.billing.RefundIssued, emails: EmailBatch) -> None:
    _notify_buyer(emails, event.order, f"refunded ({event.refund})", f"We have refunded {event.amount}.")


def _notify_buyer(emails: EmailBatch, order: OrderNumber, what: str, sentence: str) -> None:
    commands.write_to_buyer(emails, order, f"Your order {order} is {what}", sentence)
