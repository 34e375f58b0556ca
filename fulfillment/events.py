"""What happens in fulfillment, in its own words; no other context hears these."""

from msgspec import Struct

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.personal import PersonalAddress


class LineToPack(Struct, frozen=True):
    """So many of one sku, to be packed."""

    sku: Sku
    name: str
    quantity: int


@domain_event("fulfillment.shipment_arranged")
class ShipmentArranged(DomainEvent):
    shipment: ShipmentId
    order: OrderNumber
    recipient: PersonalAddress
    lines: tuple[LineToPack, ...]


@domain_event("fulfillment.shipment_dispatched")
class ShipmentDispatched(DomainEvent):
    shipment: ShipmentId
    order: OrderNumber
    carrier: str
    tracking_number: str
    quantities: dict[Sku, int]


@domain_event("fulfillment.shipment_delivered")
class ShipmentDelivered(DomainEvent):
    shipment: ShipmentId
    order: OrderNumber


@domain_event("fulfillment.shipment_cancelled")
class ShipmentCancelled(DomainEvent):
    shipment: ShipmentId
    order: OrderNumber
    reason: str


@domain_event("fulfillment.cancellation_refused")
class CancellationRefused(DomainEvent):
    """The goods had left already."""

    shipment: ShipmentId
    order: OrderNumber


@domain_event("fulfillment.shipment_anonymized")
class ShipmentAnonymized(DomainEvent):
    """Its recipient was erased: only the country it went to is left."""

    shipment: ShipmentId
    order: OrderNumber
