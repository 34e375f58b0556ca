"""Writes to buyers about their parcels: sent, not delivered, delivered, lost, sent again."""

from functools import partial

from integration import contracts
from integration.policies import whenever
from ordering import commands, letters
from ordering.commands import EmailBatch, NoteSent
from ordering.policies.notify_buyer import CANCELLED, DELIVERED, email_batch

DELIVERY_FAILED = "delivery_failed"
"""The only `status` of ShipmentTracked that buyers get a letter about."""


@whenever(
    contracts.fulfillment.ShipmentDispatched, name="ordering.tell-buyer-of-dispatch", external=True, read=email_batch
)
def notify_buyer_of_dispatch(event: contracts.fulfillment.ShipmentDispatched, emails: EmailBatch) -> NoteSent | None:
    key = f"Your order {event.order} is on its way ({event.shipment})"
    parcel = (event.order, event.shipment, event.carrier, event.tracking_number, event.tracking_url)
    write = partial(letters.parcels.dispatched, *parcel)
    return commands.write_to_buyer(emails, event.order, key, write, unless=(DELIVERED, CANCELLED))


@whenever(
    contracts.fulfillment.ShipmentTracked,
    name="ordering.notify-buyer-of-failed-delivery",
    external=True,
    read=email_batch,
)
def notify_buyer_of_failed_delivery(
    event: contracts.fulfillment.ShipmentTracked, emails: EmailBatch
) -> NoteSent | None:
    if event.status != DELIVERY_FAILED:
        return None
    key = f"Your order {event.order} is not delivered yet ({event.shipment}, {event.sequence})"
    write = partial(letters.parcels.delivery_failed, event.order, event.shipment)
    return commands.write_to_buyer(emails, event.order, key, write, unless=(DELIVERED, CANCELLED))


@whenever(
    contracts.fulfillment.ShipmentDelivered, name="ordering.notify-buyer-of-delivery", external=True, read=email_batch
)
def notify_buyer_of_delivery(event: contracts.fulfillment.ShipmentDelivered, emails: EmailBatch) -> NoteSent | None:
    write = partial(letters.parcels.delivered, event.order, event.shipment)
    return commands.write_to_buyer(emails, event.order, f"{event.shipment} is delivered", write)


@whenever(contracts.fulfillment.ShipmentLost, name="ordering.notify-buyer-of-loss", external=True, read=email_batch)
def notify_buyer_of_loss(event: contracts.fulfillment.ShipmentLost, emails: EmailBatch) -> NoteSent | None:
    key = f"Your order {event.order} is lost on its way ({event.shipment})"
    write = partial(letters.parcels.lost, event.order, event.shipment)
    return commands.write_to_buyer(emails, event.order, key, write, unless=(DELIVERED, CANCELLED))


@whenever(
    contracts.ordering.OrderReplaced, name="ordering.notify-buyer-of-replacement", external=True, read=email_batch
)
def notify_buyer_of_replacement(event: contracts.ordering.OrderReplaced, emails: EmailBatch) -> NoteSent | None:
    key = f"Your order {event.order} is sent again ({event.shipment})"
    write = partial(letters.parcels.replaced, event.order, event.shipment, event.replacement)
    return commands.write_to_buyer(emails, event.order, key, write)
