"""Writes to buyers about their orders, if they have an e-mail address and want to be notified.

The mail server may have been away for a while. So each letter is sent only while it is still true of the order.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial

from integration import contracts
from integration.policies import whenever
from ordering import commands, letters
from ordering.commands import EmailBatch, NoteSent
from ordering.models import OrderStatus
from ordering.policies.saga import AboutAnOrder

PARTIALLY_SHIPPED, SHIPPED = OrderStatus.PARTIALLY_SHIPPED, OrderStatus.SHIPPED
DELIVERED, CANCELLED = OrderStatus.DELIVERED, OrderStatus.CANCELLED


def email_batch(batch: Sequence[AboutAnOrder]) -> AbstractContextManager[EmailBatch]:
    """Read the addresses of the buyers of a batch with one query, and share one connection to the mail server."""
    return commands.email_batch([event.order for event in batch])


@whenever(contracts.ordering.OrderPlaced, name="ordering.notify-buyer-of-receipt", external=True, read=email_batch)
def notify_buyer_of_receipt(event: contracts.ordering.OrderPlaced, emails: EmailBatch) -> NoteSent | None:
    lines = [(line.quantity, line.name, line.total) for line in event.lines]
    write = partial(letters.orders.received, event.order, lines, event.total)
    return commands.write_to_buyer(emails, event.order, "received", write, unless=(CANCELLED,), by_law=True)


@whenever(
    contracts.ordering.OrderConfirmed, name="ordering.tell-buyer-of-confirmation", external=True, read=email_batch
)
def notify_buyer_of_confirmation(event: contracts.ordering.OrderConfirmed, emails: EmailBatch) -> NoteSent | None:
    too_late = (PARTIALLY_SHIPPED, SHIPPED, DELIVERED, CANCELLED)
    key, write = f"Your order {event.order} is confirmed", partial(letters.orders.confirmed, event.order)
    return commands.write_to_buyer(emails, event.order, key, write, unless=too_late)


@whenever(
    contracts.ordering.OrderCancelled, name="ordering.tell-buyer-of-cancellation", external=True, read=email_batch
)
def notify_buyer_of_cancellation(event: contracts.ordering.OrderCancelled, emails: EmailBatch) -> NoteSent | None:
    key, write = f"Your order {event.order} is cancelled", partial(letters.orders.cancelled, event.order, event.reason)
    return commands.write_to_buyer(emails, event.order, key, write)


@whenever(contracts.billing.RefundIssued, name="ordering.tell-buyer-of-refund", external=True, read=email_batch)
def notify_buyer_of_refund(event: contracts.billing.RefundIssued, emails: EmailBatch) -> NoteSent | None:
    key = f"Your order {event.order} is refunded ({event.refund})"
    write = partial(letters.orders.refunded, event.order, event.refund, event.amount)
    return commands.write_to_buyer(emails, event.order, key, write)


@whenever(
    contracts.fulfillment.CancellationRefused,
    name="ordering.notify-buyer-of-refused-cancellation",
    external=True,
    read=email_batch,
)
def notify_buyer_of_refused_cancellation(
    event: contracts.fulfillment.CancellationRefused, emails: EmailBatch
) -> NoteSent | None:
    key = f"Your order {event.order} is not cancelled"
    write = partial(letters.orders.cancellation_refused, event.order, event.shipment)
    return commands.write_to_buyer(emails, event.order, key, write, unless=(CANCELLED,))
