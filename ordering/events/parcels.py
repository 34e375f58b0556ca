"""The events of an order about its parcels on their way: scans, losses, and what a person decided."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku


@domain_event("ordering.order_shipment_tracked", says="shipment {shipment} of order {order} became {status}")
class OrderShipmentTracked(DomainEvent, kw_only=True):
    """A shipment of the order has another status. The highest `sequence` of a shipment counts."""

    order: OrderNumber
    shipment: ShipmentId
    status: str
    sequence: int


@domain_event(
    "ordering.order_shipment_resolved", says="shipment {shipment} of order {order} was resolved as {resolution}"
)
class OrderShipmentResolved(DomainEvent, kw_only=True):
    """A person decided what becomes of a shipment that is lost or came back.

    `lost` are the units that the buyer will not get and is refunded.
    """

    order: OrderNumber
    shipment: ShipmentId
    resolution: str
    lost: dict[Sku, int]


@domain_event("ordering.order_replaced", says="the goods of shipment {shipment} are sent again as order {replacement}")
class OrderReplaced(DomainEvent, kw_only=True):
    """Another order, of the same buyer, has the goods of a shipment that is lost or came back."""

    order: OrderNumber
    shipment: ShipmentId
    replacement: OrderNumber


@domain_event("ordering.order_shipment_scanned_late", says="shipment {shipment} of order {order} was scanned late")
class OrderShipmentScannedLate(DomainEvent, kw_only=True):
    """A shipment was scanned after it was resolved; `is_open` is false once a person has seen it."""

    order: OrderNumber
    shipment: ShipmentId
    is_open: bool
    sequence: int
