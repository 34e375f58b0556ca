"""What an order does with news of its shipments: each counts once, in any order, and quantities decide the status."""

from collections.abc import Mapping
from typing import ClassVar

from django.db import models

from integration.aggregates.aggregate import applies
from integration.domain.errors import NotYet, Refused
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from ordering import events
from ordering.models.order_line import OrderLine
from ordering.models.order_payment import OrderWithPayment
from ordering.models.order_requests import Requests
from ordering.models.order_shipments import (
    ARRIVED,
    LEFT,
    InParcels,
    delivered_status,
    is_open,
    shipped_status,
    with_arranged,
    with_delivered,
    with_dispatched,
    without_the_empty,
)
from ordering.models.order_states import CANCELLED, OrderStatus


class ShippedTooMuch(Refused):
    """More units are shipped than the order has left to ship."""


class OrderInShipments(InParcels, Requests, OrderWithPayment):
    """The part of an order that is about its shipments."""

    parts: ClassVar = {"lines": "line_rows"}
    lines: list[OrderLine]
    number: str

    shipments = models.JSONField(default=list)

    class Meta:
        abstract = True

    @property
    def _number(self) -> OrderNumber:
        return OrderNumber(self.number)

    def mark_arranged(self, shipment: ShipmentId) -> None:
        """Record that fulfillment arranged a shipment, unless it is known already; raises `NotYet`."""
        if self.accepts("mark_arranged") and not self._status_of(shipment):
            self.record(events.OrderShipmentArranged(order=self._number, shipment=shipment))

    def mark_shipped(
        self,
        shipment: ShipmentId,
        carrier: str,
        tracking_number: str,
        quantities: Mapping[Sku, int],
        tracking_url: str = "",
    ) -> None:
        """Record that a shipment left with these units; each shipment counts once.

        Raises:
            NotYet: the order is not confirmed yet.
            NotAllowed: the order is cancelled.
            ShippedTooMuch: the order has fewer units left to ship.
        """
        if self._status_of(shipment) in LEFT:
            return
        left = {line.sku: line.open for line in self.lines}
        self.require(all(units <= left.get(sku, 0) for sku, units in quantities.items()), ShippedTooMuch)
        is_rest = all(quantities.get(Sku(sku), 0) == units for sku, units in left.items())
        if self.accepts("mark_shipped" if is_rest else "mark_partly_shipped"):
            sent = {"carrier": carrier, "tracking_number": tracking_number, "tracking_url": tracking_url}
            units = dict(quantities)
            self.record(events.OrderShipped(order=self._number, shipment=shipment, **sent, quantities=units))

    def mark_delivered(self, shipment: ShipmentId, sequence: int = 0) -> None:
        """Record that a shipment reached its recipient; raises `NotAllowed`, and `NotYet` before its dispatch.

        Args:
            sequence: fulfillment's number of the news; the highest counts. Zero for a shipment without other news.
        """
        others = [each for each in self.shipments if each["id"] != shipment]
        is_last = delivered_status(self.status, others) == OrderStatus.DELIVERED
        if not self.accepts("mark_delivered" if is_last else "mark_partly_delivered"):
            return
        status, known = self._status_of(shipment), self._sequence_of(shipment)
        self.require(status in LEFT, NotYet(f"{shipment} is not dispatched yet"))
        if sequence > known or (status != ARRIVED and not known):
            self.record(events.OrderDelivered(order=self._number, shipment=shipment, sequence=sequence))

    def _status_of(self, shipment: ShipmentId) -> str:
        """The status of a shipment of this order; empty for one that is not known yet."""
        return next((str(each["status"]) for each in self.shipments if each["id"] == shipment), "")

    def _sequence_of(self, shipment: ShipmentId) -> int:
        """The sequence of the last news of a shipment; zero without news."""
        return next((int(each.get("sequence", 0)) for each in self.shipments if each["id"] == shipment), 0)

    @applies(events.OrderShipmentArranged)
    def _shipment_arranged(self, event: events.OrderShipmentArranged) -> None:
        has_nothing = self.line_cancellations is not None and not is_open(self.lines)
        is_cancelled = self.status == CANCELLED or has_nothing
        self.shipments = with_arranged(self.shipments, event, is_cancelled=is_cancelled)

    @applies(events.OrderShipped)
    def _shipped(self, event: events.OrderShipped) -> None:
        self.shipments = with_dispatched(self.shipments, event, self.lines)
        for line in self.lines:
            if units := event.quantities.get(Sku(line.sku), 0):
                line.shipped += units
                self.touch(line)
        self.shipments = without_the_empty(self.shipments, self.lines)
        self.status = shipped_status(self.lines)

    @applies(events.OrderDelivered)
    def _delivered(self, event: events.OrderDelivered) -> None:
        self.shipments = with_delivered(self.shipments, event)
        self.status = delivered_status(self.status, self.shipments)
