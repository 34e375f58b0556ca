"""Fulfillment's part of the order process: arrange shipments, and cancel them on request.

`stops.py` stops and holds some of the goods.
"""

from collections.abc import Mapping, Sequence

from fulfillment import commands, events
from fulfillment.events import LineToPack
from fulfillment.gateways.carriers import tracking_url
from integration import contracts
from integration.contracts.fulfillment import PackedLine
from integration.domain.identifiers import Sku
from integration.messaging.publish import publish
from integration.policies import whenever

# --- Contracts that fulfillment publishes ---


@whenever(events.ShipmentArranged)
def publish_shipment_arranged(event: events.ShipmentArranged) -> None:
    lines = _packed({line.sku: line.quantity for line in event.lines})
    publish(contracts.fulfillment.ShipmentArranged(order=event.order, shipment=event.shipment, lines=lines))


@whenever(events.ShipmentDispatched)
def publish_shipment_dispatched(event: events.ShipmentDispatched) -> None:
    publish(
        contracts.fulfillment.ShipmentDispatched(
            order=event.order,
            shipment=event.shipment,
            carrier=event.carrier,
            tracking_number=event.tracking_number,
            lines=_packed(event.quantities),
            tracking_url=tracking_url(event.carrier, event.tracking_number) if event.is_tracked else "",
        )
    )


@whenever(events.ShipmentDelivered)
def publish_shipment_delivered(event: events.ShipmentDelivered) -> None:
    lines = _packed(commands.quantities_of(event.shipment))
    publish(
        contracts.fulfillment.ShipmentDelivered(
            order=event.order, shipment=event.shipment, lines=lines, sequence=event.sequence
        )
    )


def _packed(quantities: Mapping[Sku, int]) -> tuple[PackedLine, ...]:
    return tuple(PackedLine(sku, quantity) for sku, quantity in quantities.items())


@whenever(events.ShipmentCancelled)
def publish_shipment_cancelled(event: events.ShipmentCancelled) -> None:
    publish(contracts.fulfillment.ShipmentCancelled(order=event.order, shipment=event.shipment, reason=event.reason))


@whenever(events.CancellationRefused)
def publish_cancellation_refused(event: events.CancellationRefused) -> None:
    publish(contracts.fulfillment.CancellationRefused(order=event.order, shipment=event.shipment))


# --- Reactions to the contracts of other contexts ---


def lock_shipments(requested: Sequence[contracts.ordering.ShippingRequested]) -> None:
    """Lock the shipments of a batch of events, before the first of them is handled."""
    commands.lock_shipments([event.order for event in requested])


def lock_goods(requested: Sequence[contracts.ordering.OrderCancellationRequested]) -> None:
    """Lock the first shipments and the goods of a batch of events, before the first of them is handled."""
    commands.lock_goods([event.order for event in requested])


@whenever(contracts.ordering.ShippingRequested, name="fulfillment.arrange-shipment", prepare=lock_shipments)
def arrange_shipment(event: contracts.ordering.ShippingRequested) -> None:
    lines = [LineToPack(line.sku, line.name, line.quantity) for line in event.lines]
    commands.arrange_shipment(event.order, event.recipient, lines, [(each.hold, each.reason) for each in event.holds])


@whenever(contracts.ordering.OrderCancellationRequested, name="fulfillment.stop-shipment", prepare=lock_goods)
def stop_shipment(event: contracts.ordering.OrderCancellationRequested) -> None:
    commands.stop_shipment(event.order, event.reason)
