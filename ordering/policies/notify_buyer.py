"""Sends buyers e-mails about their orders, if they have an e-mail address and want to be notified.

The mail server may have been away for a while. So each e-mail is sent only while it is still true of the order.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager

from integration import contracts
from integration.domain.identifiers import OrderNumber
from integration.policies import whenever
from ordering import commands
from ordering.commands import EmailBatch
from ordering.models import CancellationReason, OrderStatus
from ordering.policies.saga import AboutAnOrder

WHY_CANCELLED = {
    CancellationReason.OUT_OF_STOCK: "some of the goods are out of stock",
    CancellationReason.PAYMENT_FAILED: "the payment was declined",
    CancellationReason.PAYMENT_TIMEOUT: "the payment did not arrive in time",
    CancellationReason.NOT_PROCESSED: "we could not process it in time",
    CancellationReason.BY_BUYER: "you asked us to",
    CancellationReason.BY_OPERATOR: "we had to",
}

PARTIALLY_SHIPPED, SHIPPED = OrderStatus.PARTIALLY_SHIPPED, OrderStatus.SHIPPED
DELIVERED, CANCELLED = OrderStatus.DELIVERED, OrderStatus.CANCELLED


def email_batch(batch: Sequence[AboutAnOrder]) -> AbstractContextManager[EmailBatch]:
    """Read the addresses of the buyers of a batch with one query, and share one connection to the mail server."""
    return commands.email_batch([event.order for event in batch])


@whenever(
    contracts.ordering.OrderConfirmed, name="ordering.tell-buyer-of-confirmation", external=True, read=email_batch
)
def notify_buyer_of_confirmation(event: contracts.ordering.OrderConfirmed, emails: EmailBatch) -> None:
    sentence = "Nothing is left to pay, and we are packing your order."
    too_late = (PARTIALLY_SHIPPED, SHIPPED, DELIVERED, CANCELLED)
    notify_buyer(emails, event.order, "confirmed", sentence, unless=too_late)


@whenever(
    contracts.ordering.OrderCancelled, name="ordering.tell-buyer-of-cancellation", external=True, read=email_batch
)
def notify_buyer_of_cancellation(event: contracts.ordering.OrderCancelled, emails: EmailBatch) -> None:
    why = WHY_CANCELLED[CancellationReason(event.reason)]
    notify_buyer(
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
    if event.tracking_url:
        how += f" See where it is: {event.tracking_url}"
    notify_buyer(emails, event.order, f"on its way ({event.shipment})", how, unless=(DELIVERED, CANCELLED))


@whenever(contracts.billing.RefundIssued, name="ordering.tell-buyer-of-refund", external=True, read=email_batch)
def notify_buyer_of_refund(event: contracts.billing.RefundIssued, emails: EmailBatch) -> None:
    notify_buyer(emails, event.order, f"refunded ({event.refund})", f"We have refunded {event.amount}.")


@whenever(
    contracts.fulfillment.CancellationRefused,
    name="ordering.notify-buyer-of-refused-cancellation",
    external=True,
    read=email_batch,
)
def notify_buyer_of_refused_cancellation(event: contracts.fulfillment.CancellationRefused, emails: EmailBatch) -> None:
    notify_buyer(
        emails,
        event.order,
        "not cancelled",
        f"You asked us to cancel it, but its goods had already left our warehouse ({event.shipment}).",
        unless=(CANCELLED,),
    )


def notify_buyer(
    emails: EmailBatch, order: OrderNumber, what: str, sentence: str, unless: Collection[OrderStatus] = ()
) -> None:
    """Write to the buyer of an order what the order is now; `unless` are the statuses in which it is not true."""
    commands.write_to_buyer(emails, order, f"Your order {order} is {what}", sentence, unless)
