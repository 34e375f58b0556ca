"""What fulfillment publishes about shipments on their way."""

from collections.abc import Mapping

from fulfillment import events
from integration import contracts
from integration.contracts.fulfillment import PackedLine
from integration.domain.identifiers import Sku
from integration.messaging.publish import publish
from integration.policies import whenever


@whenever(events.ShipmentTracked)
def publish_shipment_tracked(event: events.ShipmentTracked) -> None:
    publish(
        contracts.fulfillment.ShipmentTracked(
            order=event.order, shipment=event.shipment, sequence=event.sequence, status=event.status
        )
    )


@whenever(events.ShipmentReturnedToSender)
def publish_shipment_returned(event: events.ShipmentReturnedToSender) -> None:
    publish(
        contracts.fulfillment.ShipmentReturnedToSender(
            order=event.order, shipment=event.shipment, sequence=event.sequence, lines=_packed(event.quantities)
        )
    )


@whenever(events.ShipmentLost)
def publish_shipment_lost(event: events.ShipmentLost) -> None:
    publish(
        contracts.fulfillment.ShipmentLost(
            order=event.order, shipment=event.shipment, sequence=event.sequence, lines=_packed(event.quantities)
        )
    )


@whenever(events.ShipmentResolved)
def publish_shipment_resolved(event: events.ShipmentResolved) -> None:
    publish(
        contracts.fulfillment.ShipmentResolved(
            order=event.order,
            shipment=event.shipment,
            status=event.status,
            resolution=event.resolution,
            lines=_packed(event.quantities),
        )
    )


@whenever(events.ShipmentScannedLate)
def publish_scanned_late(event: events.ShipmentScannedLate) -> None:
    publish(
        contracts.fulfillment.ShipmentScannedLate(
            order=event.order, shipment=event.shipment, sequence=event.sequence, is_open=True
        )
    )


@whenever(events.ShipmentTaskClosed)
def publish_task_closed(event: events.ShipmentTaskClosed) -> None:
    publish(
        contracts.fulfillment.ShipmentScannedLate(
            order=event.order, shipment=event.shipment, sequence=event.sequence, is_open=False
        )
    )


def _packed(quantities: Mapping[Sku, int]) -> tuple[PackedLine, ...]:
    return tuple(PackedLine(sku, quantity) for sku, quantity in quantities.items())
