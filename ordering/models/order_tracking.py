"""What an order does with news of its shipments on their way: scans, losses, and what a person decided about them."""

from collections.abc import Mapping
from typing import Any

from django.db import models

from integration.aggregates.aggregate import applies
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from ordering import events
from ordering.models.order_lines_and_holds import OrderWithRequests
from ordering.models.order_shipments import (
    LEFT,
    delivered_status,
    is_unresolved,
    resolved_status,
    with_facts,
    with_tracked,
)
from ordering.models.order_states import SHIPMENT_NAMES, OrderStatus


class OrderTracked(OrderWithRequests):
    """The part of an order that is about what its shipments meet with on their way."""

    status: Any

    replaces = models.CharField(max_length=20, default="", db_default="", blank=True)

    class Meta:
        abstract = True

    @property
    def needs_human(self) -> bool:
        """Whether a person has to decide about one of its shipments, or about goods that could not be sent again."""
        return needs_human(self.shipments, self.replaces, self.status)

    def track_shipment(self, shipment: ShipmentId, status: str, sequence: int) -> None:
        """Record the status of a shipment on its way; an older one is ignored.

        Args:
            status: in the words of the API.
            sequence: fulfillment's number of the news; the highest counts.

        Raises:
            NotYet: the shipment is not known to have left.
            NotAllowed: the order is cancelled.
        """
        if self.accepts("track_shipment") and sequence > self._left(shipment).get("sequence", 0):
            self.record(
                events.OrderShipmentTracked(order=self._number, shipment=shipment, status=status, sequence=sequence)
            )

    def resolve_shipment(self, shipment: ShipmentId, status: str, resolution: str, lost: Mapping[Sku, int]) -> None:
        """Record what a person decided about a shipment, once.

        Args:
            status: the status of the shipment that was decided about, in the words of the API.
            lost: the units that the buyer will not get and is refunded.

        Raises:
            NotYet: the shipment is not known to have that status.
            NotAllowed: the order is cancelled.
        """
        if not self.accepts(self._message_of_resolution(shipment, lost)):
            return
        known = self._left(shipment)
        if "resolution" in known:
            return
        self.require(SHIPMENT_NAMES[known["status"]] == status, NotYet(f"{shipment} is not known to be {status} yet"))
        self.record(
            events.OrderShipmentResolved(order=self._number, shipment=shipment, resolution=resolution, lost=dict(lost))
        )

    def _message_of_resolution(self, shipment: ShipmentId, lost: Mapping[Sku, int]) -> str:
        """The message of the state table: it depends on what else there is in the order."""
        others = [each for each in self.shipments if each["id"] != shipment]
        if delivered_status(self.status, others) != OrderStatus.DELIVERED:
            return "resolve_shipment"
        has = {line.sku: line.shipped - line.returned - line.lost for line in self.lines}
        is_all = all(lost.get(Sku(sku), 0) >= left for sku, left in has.items())
        return "lose_last_shipment" if is_all else "resolve_last_shipment"

    def note_scanned_late(self, shipment: ShipmentId, is_open: bool, sequence: int) -> None:
        """Record that a shipment was scanned after it was resolved, or that a person has seen it; raises `NotYet`."""
        known = self._left(shipment)
        self.require("resolution" in known, NotYet(f"{shipment} is not known to be resolved yet"))
        if sequence > known.get("late_sequence", 0):
            self.record(
                events.OrderShipmentScannedLate(
                    order=self._number, shipment=shipment, is_open=is_open, sequence=sequence
                )
            )

    def replacement_of(self, shipment: ShipmentId) -> OrderNumber | None:
        """The order with which the goods of a shipment are sent again; raises `NotYet` before its resolution."""
        known = self._left(shipment)
        self.require("resolution" in known, NotYet(f"{shipment} is not known to be resolved yet"))
        return known.get("replaced_by")

    def replace_shipment(self, shipment: ShipmentId, replacement: OrderNumber) -> None:
        """Record the order with which the goods of a shipment are sent again."""
        self.record(events.OrderReplaced(order=self._number, shipment=shipment, replacement=replacement))

    def _left(self, shipment: ShipmentId) -> Mapping[str, Any]:
        """What is known of a shipment that left; raises `NotYet`."""
        known: dict[str, Any] = next((each for each in self.shipments if each["id"] == shipment), {})
        self.require(known.get("status") in LEFT, NotYet(f"{shipment} is not dispatched yet"))
        return known

    @applies(events.OrderShipmentTracked)
    def _shipment_tracked(self, event: events.OrderShipmentTracked) -> None:
        self.shipments = with_tracked(self.shipments, event)
        self.status = delivered_status(self.status, self.shipments)

    @applies(events.OrderShipmentResolved)
    def _shipment_resolved(self, event: events.OrderShipmentResolved) -> None:
        self.shipments = with_facts(self.shipments, event.shipment, resolution=event.resolution)
        for line in self.lines:
            if units := event.lost.get(Sku(line.sku), 0):
                line.lost += units
                self.touch(line)
        self.status = resolved_status(self.status, self.shipments, self.lines)

    @applies(events.OrderReplaced)
    def _shipment_replaced(self, event: events.OrderReplaced) -> None:
        self.shipments = with_facts(self.shipments, event.shipment, replaced_by=event.replacement)

    @applies(events.OrderShipmentScannedLate)
    def _shipment_scanned_late(self, event: events.OrderShipmentScannedLate) -> None:
        late = {"late_sequence": event.sequence, "is_scanned_late": event.is_open}
        self.shipments = with_facts(self.shipments, event.shipment, **late)


def needs_human(shipments: Any, replaces: str, status: str) -> bool:
    """Whether a person has to decide about a shipment of an order, or the order was to send goods again and cannot."""
    if replaces and status == OrderStatus.CANCELLED:
        return True
    return any(is_unresolved(each) or each.get("is_scanned_late", False) for each in shipments)
