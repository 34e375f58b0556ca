"""Fulfillment's domain events.

They stay inside fulfillment; `policies/saga.py` publishes contracts for other contexts.
"""

from msgspec import Struct

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.personal import PersonalAddress


class LineToPack(Struct, frozen=True):
    """One line of a shipment: a quantity of one SKU."""

    sku: Sku
    name: str
    quantity: int


@domain_event("fulfillment.shipment_arranged", says="shipment {shipment} of order {order} was arranged: {lines}")
class ShipmentArranged(DomainEvent, kw_only=True):
    shipment: ShipmentId
    order: OrderNumber
    recipient: PersonalAddress
    lines: tuple[LineToPack, ...]


@domain_event(
    "fulfillment.shipment_dispatched",
    says="shipment {shipment} was handed to {carrier} as {tracking_number}: {quantities}",
)
class ShipmentDispatched(DomainEvent, kw_only=True):
    """The carrier took these units; what else the shipment had is in the next shipment from now on."""

    shipment: ShipmentId
    order: OrderNumber
    carrier: str
    tracking_number: str
    quantities: dict[Sku, int]


@domain_event("fulfillment.shipment_delivered", says="shipment {shipment} of order {order} was delivered")
class ShipmentDelivered(DomainEvent, kw_only=True):
    shipment: ShipmentId
    order: OrderNumber


@domain_event("fulfillment.shipment_cancelled", says="shipment {shipment} of order {order} was cancelled ({reason})")
class ShipmentCancelled(DomainEvent, kw_only=True):
    shipment: ShipmentId
    order: OrderNumber
    reason: str


@domain_event(
    "fulfillment.cancellation_refused", says="shipment {shipment} could not be cancelled, because it had left"
)
class CancellationRefused(DomainEvent, kw_only=True):
    """A cancellation was refused, because the carrier has the shipment already."""

    shipment: ShipmentId
    order: OrderNumber


@domain_event("fulfillment.shipment_anonymized", says="shipment {shipment} was anonymized", erases=True)
class ShipmentAnonymized(DomainEvent, kw_only=True):
    """The recipient was erased: only the country of the address stays."""

    shipment: ShipmentId
    order: OrderNumber


@domain_event("fulfillment.fulfillment_order_opened", says="the goods of order {order} go different ways: {quantities}")
class FulfillmentOrderOpened(DomainEvent, kw_only=True):
    """An order's goods are counted per SKU from now on, because they do not leave all together."""

    order: OrderNumber
    quantities: dict[Sku, int]


@domain_event("fulfillment.goods_dispatched", says="{quantities} of order {order} left in shipment {shipment}")
class GoodsDispatched(DomainEvent, kw_only=True):
    """Some goods of the order left the warehouse."""

    order: OrderNumber
    shipment: ShipmentId
    quantities: dict[Sku, int]
