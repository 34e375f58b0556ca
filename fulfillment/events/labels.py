"""The events of a shipment about labels that a carrier sells."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku


@domain_event(
    "fulfillment.label_requested",
    says="label {number} of shipment {shipment} was requested from {carrier}: {quantities}",
)
class LabelRequested(DomainEvent, kw_only=True):
    """An operator wants these units to leave with a carrier that sells labels."""

    shipment: ShipmentId
    order: OrderNumber
    number: int
    carrier: str
    service: str
    key: str
    quantities: dict[Sku, int]


@domain_event("fulfillment.label_bought", says="label {number} of shipment {shipment} was bought: {tracking_number}")
class LabelBought(DomainEvent, kw_only=True):
    """The carrier sold the label."""

    shipment: ShipmentId
    order: OrderNumber
    number: int
    tracking_number: str


@domain_event("fulfillment.label_refused", says="label {number} of shipment {shipment} was refused ({reason})")
class LabelRefused(DomainEvent, kw_only=True):
    """The carrier does not sell this label."""

    shipment: ShipmentId
    order: OrderNumber
    number: int
    reason: str


@domain_event("fulfillment.label_dropped", says="label {number} of shipment {shipment} from {carrier} is not wanted")
class LabelDropped(DomainEvent, kw_only=True):
    """The shipment was cancelled or dispatched without this label; the carrier is asked to cancel it."""

    shipment: ShipmentId
    order: OrderNumber
    number: int
    carrier: str
    key: str
