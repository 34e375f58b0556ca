"""What ordering does when parcels do not simply arrive: their scans, losses, and what a person decided."""

from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever
from ordering import commands, events
from ordering.policies.saga import lock_orders

LOST = "lost"

SEND_AGAIN = "send_again"

# --- The contract that ordering publishes ---


@whenever(events.OrderReplaced)
def publish_order_replaced(event: events.OrderReplaced) -> None:
    publish(contracts.ordering.OrderReplaced(order=event.order, shipment=event.shipment, replacement=event.replacement))


# --- Reactions to fulfillment's contracts ---


@whenever(contracts.fulfillment.ShipmentTracked, name="ordering.track-shipment", prepare=lock_orders)
def track_shipment(event: contracts.fulfillment.ShipmentTracked) -> None:
    commands.track_shipment(event.order, event.shipment, event.status, event.sequence)


@whenever(contracts.fulfillment.ShipmentLost, name="ordering.note-lost-shipment", prepare=lock_orders)
def note_lost_shipment(event: contracts.fulfillment.ShipmentLost) -> None:
    commands.track_shipment(event.order, event.shipment, LOST, event.sequence)


@whenever(contracts.fulfillment.ShipmentReturnedToSender, name="ordering.note-returned-shipment", prepare=lock_orders)
def note_returned_shipment(event: contracts.fulfillment.ShipmentReturnedToSender) -> None:
    commands.track_shipment(event.order, event.shipment, "returned_to_sender", event.sequence)


@whenever(contracts.fulfillment.ShipmentResolved, name="ordering.resolve-shipment", prepare=lock_orders)
def resolve_shipment(event: contracts.fulfillment.ShipmentResolved) -> None:
    quantities = {line.sku: line.quantity for line in event.lines}
    is_again = event.resolution == SEND_AGAIN
    lost = quantities if event.status == LOST and not is_again else {}
    commands.resolve_shipment(event.order, event.shipment, event.status, event.resolution, lost)
    if is_again:
        commands.send_again(event.order, event.shipment, quantities)


@whenever(contracts.fulfillment.ShipmentScannedLate, name="ordering.note-late-scan", prepare=lock_orders)
def note_late_scan(event: contracts.fulfillment.ShipmentScannedLate) -> None:
    commands.note_scanned_late(event.order, event.shipment, event.is_open, event.sequence)
