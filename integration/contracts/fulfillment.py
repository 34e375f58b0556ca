"""The contracts that fulfillment publishes."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent, contract
from integration.domain.identifiers import (
    CancellationId,
    HoldId,
    OrderNumber,
    ReceiptId,
    ReturnId,
    ShipmentId,
    Sku,
    WithdrawalId,
)
from integration.domain.money import Money
from integration.domain.versions import upcast


class PackedLine(Struct, frozen=True):
    """A quantity of one SKU in a shipment."""

    sku: Sku
    quantity: int


@contract("fulfillment.shipment-arranged", version=2)
class ShipmentArranged(IntegrationEvent, kw_only=True):
    """A shipment was created with these lines and waits to be packed and handed to a carrier.

    Without lines it has all goods of the order, as every shipment had in version 1.
    """

    order: OrderNumber
    shipment: ShipmentId
    lines: tuple[PackedLine, ...]


@upcast(ShipmentArranged, from_version=1)
def a_shipment_had_all_lines(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "lines": []}


@contract("fulfillment.shipment-dispatched", version=2)
class ShipmentDispatched(IntegrationEvent, kw_only=True, omit_defaults=True):
    """The goods of a shipment were handed to the carrier.

    Since version 2 they may be a part of the order, and an order may have several shipments. Code that knows only
    version 1 would take all goods of the order as shipped.
    """

    order: OrderNumber
    shipment: ShipmentId
    carrier: str
    tracking_number: str
    lines: tuple[PackedLine, ...]
    tracking_url: str = ""


@upcast(ShipmentDispatched, from_version=1)
def _all_goods_of_the_order(data: dict[str, Any]) -> dict[str, Any]:
    return data


@contract("fulfillment.shipment-delivered", version=2)
class ShipmentDelivered(IntegrationEvent, kw_only=True, omit_defaults=True):
    """These goods were delivered to the recipient.

    Without lines they are those of the shipment's dispatch, as in version 1. `sequence` is as in `ShipmentTracked`;
    zero means that nothing was reported of the shipment before.
    """

    order: OrderNumber
    shipment: ShipmentId
    lines: tuple[PackedLine, ...]
    sequence: int = 0


@upcast(ShipmentDelivered, from_version=1)
def what_was_dispatched_was_delivered(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "lines": []}


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


class ReturnedLine(Struct, frozen=True):
    """A quantity of one SKU that came back with a return: to `restock`, `quarantine`, `write_off`, or `missing`."""

    sku: Sku
    quantity: int
    disposition: str


@contract("fulfillment.return-requested")
class ReturnRequested(IntegrationEvent, kw_only=True):
    """A buyer asked to send these goods back; an operator decides."""

    order: OrderNumber
    return_: ReturnId
    lines: tuple[PackedLine, ...]


@contract("fulfillment.return-approved")
class ReturnApproved(IntegrationEvent, kw_only=True):
    """The buyer may send these goods back until `send_by`."""

    order: OrderNumber
    return_: ReturnId
    lines: tuple[PackedLine, ...]
    send_by: datetime
    shop_pays_postage: bool


@contract("fulfillment.return-refused")
class ReturnRefused(IntegrationEvent, kw_only=True):
    """An operator refused a return."""

    order: OrderNumber
    return_: ReturnId
    reason: str


@contract("fulfillment.return-received")
class ReturnReceived(IntegrationEvent, kw_only=True, omit_defaults=True):
    """Goods of a return came back. A return may come in several receipts; each counts once.

    `fee` and `reduction`, for diminished value, are less to refund. `shipping_withheld` is not refunded when the last
    goods of the order come back.
    """

    order: OrderNumber
    return_: ReturnId
    receipt: ReceiptId
    lines: tuple[ReturnedLine, ...]
    fee: Money | None = None
    reduction: Money | None = None
    reduction_reason: str = ""
    shipping_withheld: Money | None = None


@contract("fulfillment.return-closed")
class ReturnClosed(IntegrationEvent, kw_only=True):
    """Nothing more is expected of a return, and what came is settled."""

    order: OrderNumber
    return_: ReturnId


@contract("fulfillment.lines-stopped")
class LinesStopped(IntegrationEvent, kw_only=True):
    """What fulfillment decided about a cancellation of lines, once for each cancellation.

    `lines` will never leave the warehouse. `gone` had left before. Each may be empty.
    """

    order: OrderNumber
    cancellation: CancellationId
    lines: tuple[PackedLine, ...]
    gone: tuple[PackedLine, ...]


@contract("fulfillment.hold-active")
class HoldActive(IntegrationEvent, kw_only=True):
    """Nothing of the order is dispatched until the hold is lifted."""

    order: OrderNumber
    hold: HoldId


@contract("fulfillment.address-correction-decided")
class AddressCorrectionDecided(IntegrationEvent, kw_only=True):
    """What had not left of the order goes to the corrected address, or the correction came too late."""

    order: OrderNumber
    correction: int
    is_corrected: bool


@contract("fulfillment.hold-too-late")
class HoldTooLate(IntegrationEvent, kw_only=True):
    """The hold came too late: nothing of the order was left in the warehouse."""

    order: OrderNumber
    hold: HoldId


@contract("fulfillment.shipment-tracked")
class ShipmentTracked(IntegrationEvent, kw_only=True):
    """A shipment became `in_transit` or `delivery_failed`.

    A shipment may change its status back and forth. Of all that is published about one shipment with a `sequence`, the
    highest is its status.
    """

    order: OrderNumber
    shipment: ShipmentId
    sequence: int
    status: str


@contract("fulfillment.shipment-returned-to-sender")
class ShipmentReturnedToSender(IntegrationEvent, kw_only=True):
    """The carrier brought these goods back to the shop; a person decides what becomes of them.

    `sequence` is as in `ShipmentTracked`.
    """

    order: OrderNumber
    shipment: ShipmentId
    sequence: int
    lines: tuple[PackedLine, ...]


@contract("fulfillment.shipment-lost")
class ShipmentLost(IntegrationEvent, kw_only=True):
    """The carrier lost these goods; a person decides what becomes of them.

    `sequence` is as in `ShipmentTracked`, because lost goods may be found.
    """

    order: OrderNumber
    shipment: ShipmentId
    sequence: int
    lines: tuple[PackedLine, ...]


@contract("fulfillment.shipment-resolved")
class ShipmentResolved(IntegrationEvent, kw_only=True):
    """A person decided, once, what becomes of the goods of a shipment that is lost or came back.

    Args:
        status: `lost` or `returned_to_sender`.
        resolution: `refund`, or `send_again` if the buyer gets the goods with another order.
    """

    order: OrderNumber
    shipment: ShipmentId
    status: str
    resolution: str
    lines: tuple[PackedLine, ...]


@contract("fulfillment.shipment-scanned-late")
class ShipmentScannedLate(IntegrationEvent, kw_only=True):
    """A shipment was scanned after the decision about it, which stands; `is_open` is false once a person has seen it.

    The highest `sequence` of a shipment counts.
    """

    order: OrderNumber
    shipment: ShipmentId
    sequence: int
    is_open: bool


@contract("fulfillment.label-requested")
class LabelRequested(IntegrationEvent, kw_only=True):
    """Fulfillment is to buy a label from a carrier."""

    order: OrderNumber
    shipment: ShipmentId
    label: int


@contract("fulfillment.label-dropped")
class LabelDropped(IntegrationEvent, kw_only=True):
    """A label is not wanted any more, and the carrier is to cancel it."""

    order: OrderNumber
    shipment: ShipmentId
    carrier: str
    key: str


@contract("fulfillment.withdrawal-arranged")
class WithdrawalArranged(IntegrationEvent, kw_only=True):
    """What had not left of a withdrawal is stopped. The rest, if there is any, is in an approved return."""

    order: OrderNumber
    withdrawal: WithdrawalId
    return_: ReturnId | None
