"""Inventory's domain events. They stay inside inventory; `policies/` publishes contracts for other contexts."""

from msgspec import Struct

from integration.contracts.inventory import Shortage
from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku


class ReservedLine(Struct, frozen=True):
    """A quantity of one SKU in a reservation."""

    sku: Sku
    quantity: int


# --- StockItem ---


@domain_event("inventory.stock_item_opened")
class StockItemOpened(DomainEvent):
    """A stock item was created for a SKU, with no units on hand."""

    sku: Sku
    reorder_point: int


@domain_event("inventory.stock_received")
class StockReceived(DomainEvent):
    """Units arrived; `reference` names the receipt, such as a delivery note number."""

    quantity: int
    reference: str


@domain_event("inventory.stock_adjusted")
class StockAdjusted(DomainEvent):
    """The units on hand were corrected by `delta`, which is negative if units were missing."""

    delta: int
    reason: str


@domain_event("inventory.stock_set_aside")
class StockSetAside(DomainEvent):
    """Units were reserved for an order."""

    order: OrderNumber
    quantity: int


@domain_event("inventory.stock_freed")
class StockFreed(DomainEvent):
    """Units that were reserved for an order became available again."""

    order: OrderNumber
    quantity: int


@domain_event("inventory.stock_shipped")
class StockShipped(DomainEvent):
    """Units that were reserved for an order left the warehouse."""

    order: OrderNumber
    quantity: int


@domain_event("inventory.stock_level_changed")
class StockLevelChanged(DomainEvent):
    """The available quantity crossed the reorder point or zero; `sequence` is the version of this event."""

    sku: Sku
    level: str
    available: int
    sequence: int


# --- Reservation ---


@domain_event("inventory.goods_reserved")
class GoodsReserved(DomainEvent):
    """All goods of an order were reserved."""

    order: OrderNumber
    lines: tuple[ReservedLine, ...]


@domain_event("inventory.reservation_refused")
class ReservationRefused(DomainEvent):
    """Some goods of an order were short, so none were reserved."""

    order: OrderNumber
    lines: tuple[ReservedLine, ...]
    shortages: tuple[Shortage, ...]


@domain_event("inventory.reservation_committed")
class ReservationCommitted(DomainEvent):
    """The order was confirmed; its goods stay reserved until they are shipped."""

    order: OrderNumber


@domain_event("inventory.reservation_released")
class ReservationReleased(DomainEvent):
    """The order was cancelled; its reserved goods became available again."""

    order: OrderNumber
    reason: str


@domain_event("inventory.reservation_expired")
class ReservationExpired(DomainEvent):
    """The order was not paid in time; its reserved goods became available again."""

    order: OrderNumber


@domain_event("inventory.reservation_shipped")
class ReservationShipped(DomainEvent):
    """The reserved goods left the warehouse."""

    order: OrderNumber
    shipment: ShipmentId
