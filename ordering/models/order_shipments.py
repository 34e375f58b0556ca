"""The shipments of an order, as the order and its row on the order board show them."""

from collections.abc import Sequence
from typing import Any

from integration.domain.identifiers import ShipmentId
from ordering.events import OrderShipmentArranged, OrderShipped
from ordering.models.order_states import ShipmentStatus

Shipments = list[dict[str, Any]]
"""For each shipment its id, status, carrier and tracking number. The last two are empty before it is dispatched."""


def with_arranged(shipments: Shipments, event: OrderShipmentArranged, *, is_cancelled: bool) -> Shipments:
    """Return the shipments with the arranged one; its order may have been cancelled before it was known."""
    status = ShipmentStatus.CANCELLED if is_cancelled else ShipmentStatus.ARRANGED
    return [*shipments, _shipment(event.shipment, status)]


def with_dispatched(shipments: Shipments, event: OrderShipped) -> Shipments:
    """Return the shipments with the dispatched one, which may not be known yet."""
    others = [shipment for shipment in shipments if shipment["id"] != event.shipment]
    return [*others, _shipment(event.shipment, ShipmentStatus.DISPATCHED, event.carrier, event.tracking_number)]


def with_status(shipments: Shipments, status: ShipmentStatus, only: Sequence[ShipmentId] | None = None) -> Shipments:
    """Return the shipments with another status; `only` limits the change to these."""
    return [
        {**shipment, "status": status.value} if only is None or shipment["id"] in only else shipment
        for shipment in shipments
    ]


def _shipment(id: ShipmentId, status: ShipmentStatus, carrier: str = "", tracking_number: str = "") -> dict[str, Any]:
    return {"id": id, "status": status.value, "carrier": carrier, "tracking_number": tracking_number}
