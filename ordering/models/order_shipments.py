"""The shipments of an order, as the order and its row on the order board show them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from integration.domain.identifiers import ShipmentId
from ordering.events import OrderDelivered, OrderShipmentArranged, OrderShipmentTracked, OrderShipped
from ordering.models.order_states import OrderStatus, ShipmentStatus

LEAST_ADVANCED_FIRST = (
    ShipmentStatus.ARRANGED,
    ShipmentStatus.DISPATCHED,
    ShipmentStatus.IN_TRANSIT,
    ShipmentStatus.DELIVERY_FAILED,
    ShipmentStatus.LOST,
    ShipmentStatus.RETURNED_TO_SENDER,
    ShipmentStatus.DELIVERED,
    ShipmentStatus.CANCELLED,
)

Shipments = list[dict[str, Any]]
"""For each shipment its id, status, carrier and tracking number. The last two are empty before it is dispatched.

A shipment that left with a part of the order has `lines`: its units by SKU. One that was scanned has the `sequence` of
its status. One that was lost or came back may have a `resolution` and `replaced_by`, the order that sends it again.
"""

ARRIVED = ShipmentStatus.DELIVERED.value
GONE_WRONG = (ShipmentStatus.LOST.value, ShipmentStatus.RETURNED_TO_SENDER.value)
"""The statuses in which a person decides what becomes of the goods."""
UNDER_WAY = tuple(
    status.value for status in (ShipmentStatus.DISPATCHED, ShipmentStatus.IN_TRANSIT, ShipmentStatus.DELIVERY_FAILED)
)
LEFT = (*UNDER_WAY, *GONE_WRONG, ARRIVED)
"""The statuses of a shipment that left the warehouse."""


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
    @property
    def returned(self) -> int: ...
    @property
    def lost(self) -> int: ...


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
    if shipment["status"] in LEFT:
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
    """The status of an order all of which is shipped: `delivered` once nothing of it is under way or undecided."""
    if status not in (OrderStatus.SHIPPED, OrderStatus.DELIVERED):
        return status
    is_on_its_way = any(each["status"] in UNDER_WAY or is_unresolved(each) for each in shipments)
    return OrderStatus.SHIPPED if is_on_its_way else OrderStatus.DELIVERED


def resolved_status(status: str, shipments: Shipments, lines: Sequence[Line]) -> str:
    """The status of an order when a person has decided about a shipment that is lost or came back."""
    arrived = delivered_status(status, shipments)
    return returned_status(arrived, lines) if arrived == OrderStatus.DELIVERED else arrived


def is_unresolved(shipment: Mapping[str, Any]) -> bool:
    """Whether a shipment is lost or came back, and nobody has decided what becomes of its goods."""
    return shipment["status"] in GONE_WRONG and "resolution" not in shipment


def returned_status(status: str, lines: Sequence[Line]) -> str:
    """The status of an order of which something was shipped: `returned` once all of it came back or is lost."""
    is_all = not any(line.open or line.shipped > line.returned + line.lost for line in lines)
    return OrderStatus.RETURNED if is_all else status


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
    if event.tracking_url:
        sent["tracking_url"] = event.tracking_url
    is_whole = event.quantities == {line.sku: line.quantity for line in lines}
    part = {} if is_whole else {"lines": dict(sorted(event.quantities.items()))}  # as the history sorts them
    return _sorted([*others, {**_shipment(event.shipment, ShipmentStatus.DISPATCHED), **sent, **part}])


def with_delivered(shipments: Shipments, event: OrderDelivered) -> Shipments:
    """Return the shipments with one of them delivered."""
    facts = {"sequence": event.sequence} if event.sequence else {}
    return with_facts(shipments, event.shipment, status=ARRIVED, **facts)


def with_tracked(shipments: Shipments, event: OrderShipmentTracked) -> Shipments:
    """Return the shipments with another status of one of them."""
    status = ShipmentStatus[event.status.upper()].value
    return with_facts(shipments, event.shipment, status=status, sequence=event.sequence)


def with_facts(shipments: Shipments, id: ShipmentId, **facts: Any) -> Shipments:
    """Return the shipments with other facts about one of them."""
    return [{**shipment, **facts} if shipment["id"] == id else shipment for shipment in shipments]


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
