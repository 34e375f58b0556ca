"""Inventory's domain events. They stay inside inventory; `policies/` publishes contracts for other contexts."""

from msgspec import Struct

from integration.contracts.inventory import Shortage
from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import CancellationId, OrderNumber, ReceiptId, ShipmentId, Sku


class ReservedLine(Struct, frozen=True):
    """A quantity of one SKU in a reservation."""

    sku: Sku
    quantity: int


# --- StockItem ---


@domain_event("inventory.stock_item_opened", says="stock of {sku} was opened")
class StockItemOpened(DomainEvent, kw_only=True):
    """A stock item was created for a SKU, with no units on hand."""

    sku: Sku
    reorder_point: int


@domain_event("inventory.stock_received", says="{quantity} × {key} arrived ({reference})")
class StockReceived(DomainEvent, kw_only=True):
    """Units arrived; `reference` names the receipt, such as a delivery note number."""

    quantity: int
    reference: str


@domain_event("inventory.stock_adjusted", says="the stock of {key} was adjusted by {delta:+} ({reason})")
class StockAdjusted(DomainEvent, kw_only=True):
    """The units on hand were corrected by `delta`, which is negative if units were missing."""

    delta: int
    reason: str


@domain_event("inventory.stock_set_aside", says="{quantity} × {key} were reserved for order {order}")
class StockSetAside(DomainEvent, kw_only=True):
    """Units were reserved for an order."""

    order: OrderNumber
    quantity: int


@domain_event("inventory.stock_freed", says="{quantity} × {key}, reserved for order {order}, became available again")
class StockFreed(DomainEvent, kw_only=True):
    """Units that were reserved for an order became available again."""

    order: OrderNumber
    quantity: int


@domain_event("inventory.stock_shipped", says="{quantity} × {key} left the warehouse for order {order}")
class StockShipped(DomainEvent, kw_only=True):
    """Units that were reserved for an order left the warehouse."""

    order: OrderNumber
    quantity: int


@domain_event("inventory.stock_quarantined", says="{quantity} × {key} were put into quarantine ({reason})")
class StockQuarantined(DomainEvent, kw_only=True):
    """Units on hand were put into quarantine: nobody can buy them until somebody has decided about them."""

    quantity: int
    reason: str


@domain_event("inventory.stock_cleared", says="{quantity} × {key} left quarantine and are for sale again ({reason})")
class StockCleared(DomainEvent, kw_only=True):
    """Units in quarantine were found to be good: they are on hand again."""

    quantity: int
    reason: str


@domain_event("inventory.stock_written_off", says="{quantity} × {key} in quarantine were written off ({reason})")
class StockWrittenOff(DomainEvent, kw_only=True):
    """Units in quarantine were found to be bad: they left the stock for good."""

    quantity: int
    reason: str


@domain_event("inventory.stock_came_back", says="{quantity} × {key} of order {order} came back with {receipt}")
class StockCameBack(DomainEvent, kw_only=True):
    """Units that a buyer sent back are on hand again."""

    order: OrderNumber
    receipt: ReceiptId
    quantity: int


@domain_event(
    "inventory.stock_came_back_to_quarantine",
    says="{quantity} × {key} of order {order} came back with {receipt} and were put into quarantine",
)
class StockCameBackToQuarantine(DomainEvent, kw_only=True):
    """Units that a buyer sent back are to be looked at: nobody can buy them until somebody has decided about them."""

    order: OrderNumber
    receipt: ReceiptId
    quantity: int


@domain_event("inventory.stock_level_changed", says="the stock of {sku} became {level}, with {available} available")
class StockLevelChanged(DomainEvent, kw_only=True):
    """The available quantity crossed the reorder point or zero; `sequence` is the version of this event."""

    sku: Sku
    level: str
    available: int
    sequence: int


# --- Reservation ---


@domain_event("inventory.goods_reserved", says="{lines} were reserved for order {order}")
class GoodsReserved(DomainEvent, kw_only=True):
    """All goods of an order were reserved."""

    order: OrderNumber
    lines: tuple[ReservedLine, ...]


@domain_event(
    "inventory.reservation_refused",
    says="nothing was reserved for order {order}, because too little is in stock: {shortages}",
)
class ReservationRefused(DomainEvent, kw_only=True):
    """Some goods of an order were short, so none were reserved."""

    order: OrderNumber
    lines: tuple[ReservedLine, ...]
    shortages: tuple[Shortage, ...]


@domain_event("inventory.reservation_committed", says="the reservation of order {order} was confirmed")
class ReservationCommitted(DomainEvent, kw_only=True):
    """The order was confirmed; its goods stay reserved until they are shipped."""

    order: OrderNumber


@domain_event("inventory.reservation_released", says="the goods of order {order} became available again ({reason})")
class ReservationReleased(DomainEvent, kw_only=True):
    """The order was cancelled; all goods that were still reserved for it became available again."""

    order: OrderNumber
    reason: str


@domain_event(
    "inventory.reservation_expired", says="the reservation of order {order} ended, because no payment arrived in time"
)
class ReservationExpired(DomainEvent, kw_only=True):
    """The order was not paid in time; its reserved goods became available again."""

    order: OrderNumber


@domain_event(
    "inventory.reservation_shipped",
    says="the reserved goods of order {order} left the warehouse in shipment {shipment}",
)
class ReservationShipped(DomainEvent, kw_only=True):
    """All goods that were still reserved left the warehouse."""

    order: OrderNumber
    shipment: ShipmentId


@domain_event(
    "inventory.reservation_shipped_in_part",
    says="a part of the reserved goods of order {order} left the warehouse in shipment {shipment}: {lines}",
)
class ReservationShippedInPart(DomainEvent, kw_only=True):
    """Some of the reserved goods left the warehouse; others are still reserved."""

    order: OrderNumber
    shipment: ShipmentId
    lines: tuple[ReservedLine, ...]


class ReturnedLine(Struct, frozen=True):
    """A quantity of one SKU that came back: to `restock`, `quarantine` or `write_off`."""

    sku: Sku
    quantity: int
    disposition: str


@domain_event("inventory.reserved_goods_came_back", says="goods of order {order} came back with {receipt}: {lines}")
class ReservedGoodsCameBack(DomainEvent, kw_only=True):
    """Goods that had left the warehouse came back with a return. A receipt counts once."""

    order: OrderNumber
    receipt: ReceiptId
    lines: tuple[ReturnedLine, ...]


@domain_event(
    "inventory.reservation_released_in_part",
    says="a part of the goods of order {order} became available again ({cancellation}): {lines}",
)
class ReservationReleasedInPart(DomainEvent, kw_only=True):
    """Some units of the order were cancelled. If none are left, the reservation ends."""

    order: OrderNumber
    cancellation: CancellationId
    lines: tuple[ReservedLine, ...]
