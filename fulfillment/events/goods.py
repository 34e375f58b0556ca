"""The events of shipments, of the goods of an order, and of returns."""

from datetime import datetime

from msgspec import Struct

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ReceiptId, ReturnId, ShipmentId, Sku, WithdrawalId
from integration.domain.money import Money
from integration.domain.personal import PersonalAddress, PersonalText


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
class ShipmentDispatched(DomainEvent, kw_only=True, omit_defaults=True):
    """The carrier took these units; what else the shipment had is in the next shipment from now on.

    `is_tracked` is whether the carrier sends its scans by itself.
    """

    shipment: ShipmentId
    order: OrderNumber
    carrier: str
    tracking_number: str
    quantities: dict[Sku, int]
    is_tracked: bool = False


@domain_event("fulfillment.shipment_delivered", says="shipment {shipment} of order {order} was delivered")
class ShipmentDelivered(DomainEvent, kw_only=True, omit_defaults=True):
    """The recipient received the shipment; `sequence` is the number of its last scan, zero without scans."""

    shipment: ShipmentId
    order: OrderNumber
    sequence: int = 0


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


@domain_event("fulfillment.goods_return_asked", says="return {return_} was opened for {quantities} of order {order}")
class GoodsReturnAsked(DomainEvent, kw_only=True):
    """These units are to come back with a return."""

    order: OrderNumber
    return_: ReturnId
    quantities: dict[Sku, int]


@domain_event("fulfillment.goods_withdrawn", says="withdrawal {withdrawal} of order {order} was arranged")
class GoodsWithdrawn(DomainEvent, kw_only=True):
    """What had not left of a withdrawal was stopped; the rest, if there is any, is in a return."""

    order: OrderNumber
    withdrawal: WithdrawalId
    return_: ReturnId | None


@domain_event("fulfillment.goods_return_dropped", says="{quantities} of order {order} do not come with {return_}")
class GoodsReturnDropped(DomainEvent, kw_only=True):
    """These units do not come back with a return after all, so another return may have them."""

    order: OrderNumber
    return_: ReturnId
    quantities: dict[Sku, int]


# --- Return ---


class LineToReturn(Struct, frozen=True):
    """A quantity of one SKU that a buyer sends back for a reason; `by_right` excludes a fee."""

    sku: Sku
    name: str
    quantity: int
    reason: str
    by_right: bool


class ReceivedLine(Struct, frozen=True):
    """A quantity of one SKU that came back, or is missing in the parcel, and what became of it."""

    sku: Sku
    quantity: int
    disposition: str


@domain_event("fulfillment.return_requested", says="return {return_} of order {order} was requested: {lines}")
class ReturnRequested(DomainEvent, kw_only=True, omit_defaults=True):
    """A buyer wants to send goods back; with `withdrawal` because they withdrew from the order."""

    return_: ReturnId
    order: OrderNumber
    lines: tuple[LineToReturn, ...]
    note: PersonalText
    withdrawal: WithdrawalId | None = None
    shipping_withheld: Money | None = None


@domain_event("fulfillment.return_approved", says="return {return_} of order {order} was approved until {send_by}")
class ReturnApproved(DomainEvent, kw_only=True):
    """The buyer may send the goods; what has not come by `send_by` is not expected any more."""

    return_: ReturnId
    order: OrderNumber
    send_by: datetime


@domain_event("fulfillment.return_refused", says="return {return_} of order {order} was refused: {reason}")
class ReturnRefused(DomainEvent, kw_only=True):
    return_: ReturnId
    order: OrderNumber
    reason: str


@domain_event(
    "fulfillment.return_received", says="return {return_} of order {order} was received in part {receipt}: {lines}"
)
class ReturnReceived(DomainEvent, kw_only=True, omit_defaults=True):
    """Goods of a return came back. `fee` and `reduction`, for diminished value, are less to refund."""

    return_: ReturnId
    order: OrderNumber
    receipt: ReceiptId
    lines: tuple[ReceivedLine, ...]
    fee: Money | None = None
    reduction: Money | None = None
    reduction_reason: str = ""


@domain_event("fulfillment.return_lapsed", says="of return {return_} of order {order} these never came: {quantities}")
class ReturnLapsed(DomainEvent, kw_only=True):
    """Goods of an approved return were not sent in time."""

    return_: ReturnId
    order: OrderNumber
    quantities: dict[Sku, int]


@domain_event("fulfillment.return_settled", says="{amount} is refunded for what came of order {order} with {receipt}")
class ReturnSettled(DomainEvent, kw_only=True):
    """Billing decided what is refunded for a receipt, perhaps nothing."""

    return_: ReturnId
    order: OrderNumber
    receipt: ReceiptId
    amount: Money


@domain_event("fulfillment.return_closed", says="return {return_} of order {order} was closed")
class ReturnClosed(DomainEvent, kw_only=True):
    """Nothing more is expected of the return, and what came is settled."""

    return_: ReturnId
    order: OrderNumber


@domain_event("fulfillment.return_anonymized", says="return {return_} of order {order} was anonymized", erases=True)
class ReturnAnonymized(DomainEvent, kw_only=True):
    """The buyer was erased, and with them the note of the return."""

    return_: ReturnId
    order: OrderNumber
