"""The contracts that fulfillment publishes."""

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent, contract
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku


class PackedLine(Struct, frozen=True):
    """A quantity of one SKU in a shipment."""

    sku: Sku
    quantity: int


@contract("fulfillment.shipment-arranged")
class ShipmentArranged(IntegrationEvent, kw_only=True):
    """A shipment was created and waits to be packed and handed to a carrier."""

    order: OrderNumber
    shipment: ShipmentId


@contract("fulfillment.shipment-dispatched")
class ShipmentDispatched(IntegrationEvent, kw_only=True):
    """The goods were handed to the carrier."""

    order: OrderNumber
    shipment: ShipmentId
    carrier: str
    tracking_number: str
    lines: tuple[PackedLine, ...]


@contract("fulfillment.shipment-delivered")
class ShipmentDelivered(IntegrationEvent, kw_only=True):
    """The goods were delivered to the recipient."""

    order: OrderNumber
    shipment: ShipmentId


@contract("fulfillment.shipment-cancelled")
class ShipmentCancelled(IntegrationEvent, kw_only=True):
    """The shipment was cancelled before dispatch: the order can be cancelled."""

    order: OrderNumber
    shipment: ShipmentId
    reason: str


@contract("fulfillment.cancellation-refused")
class CancellationRefused(IntegrationEvent, kw_only=True):
    """The goods were already dispatched: the order cannot be cancelled."""

    order: OrderNumber
    shipment: ShipmentId
