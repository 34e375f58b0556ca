"""The shipments of an order, as the order and its row on the order board show them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from integration.domain.identifiers import ShipmentId
from ordering.events import OrderShipmentArranged, OrderShipped
from ordering.models.order_states import OrderStatus, ShipmentStatus

Shipments = list[dict[str, Any]]
"""For each shipment its id, status, carrier and tracking number. The last two are empty before it is dispatched.

A shipment that left with a part of the order has `lines`: its units by SKU.
"""

UNDER_WAY, ARRIVED = ShipmentStatus.DISPATCHED.value, ShipmentStatus.DELIVERED.value

LEAST_ADVANCED_FIRST = (
    ShipmentStatus.ARRANGED,
    ShipmentStatus.DISPATCHED,
    ShipmentStatus.DELIVERED,
    ShipmentStatus.CANCELLED,
)


class Line(Protocol):
    """A line of an order or of its row on the order board."""

    @property
    def sku(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def open(self) -> int: ...
    @property
    def shipped(self) -> int: ...


class InParcels:
    """An order, or its row on the order board: its lines are sent in shipments."""

    shipments: Any
    shown_lines: Any

    @property
    def parcels(self) -> Shipments:
        """The shipments, each with its lines."""
        return [
            {**shipment, "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]}
            for shipment in self.shipments
            for units in [units_of(shipment, self.shown_lines)]
        ]

    @property
    def delivered(self) -> dict[str, int]:
        """The delivered units of each SKU; a SKU of which nothing is delivered is left out."""
        totals: dict[str, int] = {}
        for shipment in self.shipments:
            if shipment["status"] == ARRIVED:
                for sku, quantity in units_of(shipment, self.shown_lines).items():
                    totals[sku] = totals.get(sku, 0) + quantity
        return totals


def units_of(shipment: Mapping[str, Any], lines: Sequence[Line]) -> dict[str, int]:
    """The units of each SKU in a shipment of an order that has these lines.

    One that left has its own units, or those of the whole order. One that did not leave has all that is still open.
    """
    if shipment["status"] in (UNDER_WAY, ARRIVED):
        part = shipment.get("lines") or {line.sku: line.quantity for line in lines}
        return {line.sku: part[line.sku] for line in lines if line.sku in part}
    return {line.sku: line.open for line in lines if line.open}


def shipped_status(lines: Sequence[Line]) -> OrderStatus:
    """The status of an order of which something is shipped."""
    return OrderStatus.SHIPPED if not is_open(lines) else OrderStatus.PARTIALLY_SHIPPED


def is_open(lines: Sequence[Line]) -> bool:
    """Whether some units of an order are neither shipped nor cancelled."""
    return any(line.open for line in lines)


def delivered_status(status: str, shipments: Shipments) -> str:
    """The status of an order of which a shipment was delivered: `delivered` once nothing of it is under way."""
    is_whole = status == OrderStatus.SHIPPED and all(each["status"] != UNDER_WAY for each in shipments)
    return OrderStatus.DELIVERED if is_whole else status


def shipment_status_of(shipments: Shipments) -> ShipmentStatus:
    """The status of the shipment that is least advanced, of those that are not cancelled."""
    known = {shipment["status"] for shipment in shipments}
    return next((status for status in LEAST_ADVANCED_FIRST if status in known), ShipmentStatus.NONE)


def with_arranged(shipments: Shipments, event: OrderShipmentArranged, *, is_cancelled: bool) -> Shipments:
    """Return the shipments with the arranged one; its order may have been cancelled before it was known."""
    status = ShipmentStatus.CANCELLED if is_cancelled else ShipmentStatus.ARRANGED
    return _sorted([*shipments, _shipment(event.shipment, status)])


def with_dispatched(shipments: Shipments, event: OrderShipped, lines: Sequence[Line]) -> Shipments:
    """Return the shipments with the dispatched one, which may not be known yet."""
    others = [shipment for shipment in shipments if shipment["id"] != event.shipment]
    sent = {"carrier": event.carrier, "tracking_number": event.tracking_number}
    is_whole = event.quantities == {line.sku: line.quantity for line in lines}
    part = {} if is_whole else {"lines": dict(sorted(event.quantities.items()))}  # as the history sorts them
    return _sorted([*others, {**_shipment(event.shipment, ShipmentStatus.DISPATCHED), **sent, **part}])


def with_status(shipments: Shipments, status: ShipmentStatus, only: Sequence[ShipmentId] | None = None) -> Shipments:
    """Return the shipments with another status; `only` limits the change to these."""
    return [
        {**shipment, "status": status.value} if only is None or shipment["id"] in only else shipment
        for shipment in shipments
    ]


def without_the_empty(shipments: Shipments, lines: Sequence[Line]) -> Shipments:
    """Return the shipments of an order that has these lines; one that is arranged without any goods is cancelled."""
    if is_open(lines):
        return shipments
    empty = [shipment["id"] for shipment in shipments if shipment["status"] == ShipmentStatus.ARRANGED]
    return with_status(shipments, ShipmentStatus.CANCELLED, empty) if empty else shipments


def _shipment(id: ShipmentId, status: ShipmentStatus) -> dict[str, Any]:
    return {"id": id, "status": status.value, "carrier": "", "tracking_number": ""}


def _sorted(shipments: Shipments) -> Shipments:
    """The shipments by their ordinal, in whatever order they became known."""
    return sorted(shipments, key=lambda shipment: (len(shipment["id"]), shipment["id"]))
