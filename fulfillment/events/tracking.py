"""The events of a shipment on its way: scans, losses, and what a person decided."""

from datetime import datetime

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.personal import PersonalText


@domain_event("fulfillment.shipment_scanned", says="shipment {shipment} was scanned: {status}, at {at}")
class ShipmentScanned(DomainEvent, kw_only=True):
    """A carrier reported where the shipment is, or an operator did; then `scan` is empty.

    `status` is in the words of the API and `at` is the carrier's time. A scan may be older than one that is known.
    """

    shipment: ShipmentId
    order: OrderNumber
    scan: str
    status: str
    at: datetime
    note: PersonalText


@domain_event("fulfillment.shipment_tracked", says="shipment {shipment} of order {order} became {status}")
class ShipmentTracked(DomainEvent, kw_only=True):
    """The shipment is in transit, or its delivery failed; `sequence` is the number of its last scan."""

    shipment: ShipmentId
    order: OrderNumber
    status: str
    sequence: int


@domain_event(
    "fulfillment.shipment_returned_to_sender", says="shipment {shipment} of order {order} came back: {quantities}"
)
class ShipmentReturnedToSender(DomainEvent, kw_only=True):
    """The carrier brought the shipment back; a person decides what becomes of its goods."""

    shipment: ShipmentId
    order: OrderNumber
    quantities: dict[Sku, int]
    sequence: int


@domain_event("fulfillment.shipment_lost", says="shipment {shipment} of order {order} was lost: {quantities}")
class ShipmentLost(DomainEvent, kw_only=True):
    """The carrier lost the shipment; a person decides what becomes of its goods."""

    shipment: ShipmentId
    order: OrderNumber
    quantities: dict[Sku, int]
    sequence: int


@domain_event(
    "fulfillment.shipment_resolved",
    says="shipment {shipment} of order {order} was resolved as {resolution}: {quantities}",
)
class ShipmentResolved(DomainEvent, kw_only=True):
    """An operator decided what becomes of a shipment that is lost or came back; `status` is which of the two."""

    shipment: ShipmentId
    order: OrderNumber
    status: str
    resolution: str
    quantities: dict[Sku, int]


@domain_event(
    "fulfillment.shipment_scanned_late", says="shipment {shipment} was scanned after it was resolved: {status}"
)
class ShipmentScannedLate(DomainEvent, kw_only=True):
    """A scan came after the decision about the shipment, which stands: a person is to look at it.

    `sequence` grows with every scan, and when the task is closed.
    """

    shipment: ShipmentId
    order: OrderNumber
    status: str
    sequence: int


@domain_event("fulfillment.shipment_task_closed", says="what was scanned late of shipment {shipment} was seen")
class ShipmentTaskClosed(DomainEvent, kw_only=True):
    """A person has seen what was scanned after the decision about the shipment."""

    shipment: ShipmentId
    order: OrderNumber
    note: PersonalText
    sequence: int


@domain_event("fulfillment.goods_lost", says="{quantities} of order {order} were lost with shipment {shipment}")
class GoodsLost(DomainEvent, kw_only=True):
    """Goods of the order that left are lost, and their buyer is refunded."""

    order: OrderNumber
    shipment: ShipmentId
    quantities: dict[Sku, int]
