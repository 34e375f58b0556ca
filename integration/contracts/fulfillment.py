"""The contracts that fulfillment publishes."""

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent, contract
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku


class PackedLine(Struct, frozen=True):
    """So many of one sku, on their way."""

    sku: Sku
    quantity: int


@contract("fulfillment.shipment-arranged")
class ShipmentArranged(IntegrationEvent):
    """A shipment waits to be packed and handed to a carrier."""

    order: OrderNumber
    shipment: ShipmentId


@contract("fulfillment.shipment-dispatched")
class ShipmentDispatched(IntegrationEvent):
    """The goods left the house."""

    order: OrderNumber
    shipment: ShipmentId
    carrier: str
    tracking_number: str
    lines: tuple[PackedLine, ...]


@contract("fulfillment.shipment-delivered")
class ShipmentDelivered(IntegrationEvent):
    """The goods reached their recipient."""

    order: OrderNumber
    shipment: ShipmentId


@contract("fulfillment.shipment-cancelled")
class ShipmentCancelled(IntegrationEvent):
    """The shipment will not leave the house: the order can be cancelled."""

    order: OrderNumber
    shipment: ShipmentId
    reason: str


@contract("fulfillment.cancellation-refused")
class CancellationRefused(IntegrationEvent):
    """The goods had left already: the order cannot be cancelled."""

    order: OrderNumber
    shipment: ShipmentId
