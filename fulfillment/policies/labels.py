"""Requests to carriers, made while no transaction is open: buy the labels that are wanted, cancel the others."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from fulfillment import commands, events
from fulfillment.models import Shipment
from integration import contracts
from integration.domain.identifiers import ShipmentId
from integration.messaging.publish import publish
from integration.policies import every, whenever

# --- Contracts that fulfillment publishes for itself ---


@whenever(events.LabelRequested)
def publish_label_requested(event: events.LabelRequested) -> None:
    publish(contracts.fulfillment.LabelRequested(order=event.order, shipment=event.shipment, label=event.number))


@whenever(events.LabelDropped)
def publish_label_dropped(event: events.LabelDropped) -> None:
    publish(
        contracts.fulfillment.LabelDropped(
            order=event.order, shipment=event.shipment, carrier=event.carrier, key=event.key
        )
    )


# --- Reactions to them ---


def shipments_to_label(requested: Sequence[contracts.fulfillment.LabelRequested]) -> Mapping[ShipmentId, Shipment]:
    """Read the shipments of a batch of events in one query."""
    return commands.shipments_to_label([event.shipment for event in requested])


def lock_first_shipments(requested: Sequence[contracts.fulfillment.LabelRequested]) -> None:
    """Lock the first shipments of a batch of orders, before the first outcome is recorded."""
    commands.lock_shipments([event.order for event in requested])


@whenever(
    contracts.fulfillment.LabelRequested,
    name="fulfillment.buy-label",
    external=True,
    read=shipments_to_label,
    until_known=True,
    prepare=lock_first_shipments,
)
def buy_label(
    event: contracts.fulfillment.LabelRequested, shipments: Mapping[ShipmentId, Shipment]
) -> Callable[[], None] | None:
    return commands.buy_label(shipments[event.shipment], event.label)


@whenever(contracts.fulfillment.LabelDropped, name="fulfillment.cancel-label", external=True, until_known=True)
def cancel_label(event: contracts.fulfillment.LabelDropped) -> None:
    commands.cancel_label(event.carrier, event.key)


# --- The sandbox carrier, which plays what in life a carrier does ---

PLAYED_AT_ONCE = 100


@every(timedelta(seconds=5), name="fulfillment.play-sandbox-carrier", external=True)
def play_sandbox_carrier() -> None:
    commands.play_sandbox_carrier(PLAYED_AT_ONCE)
