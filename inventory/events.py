"""What happens in inventory, in its own words; no other context hears these."""

from msgspec import Struct

from integration.contracts.inventory import Shortage
from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku


class ReservedLine(Struct, frozen=True):
    """So many of one sku, set aside."""

    sku: Sku
    quantity: int


# --- StockItem: each movement says how much, and why ---


@domain_event("inventory.stock_item_opened")
class StockItemOpened(DomainEvent):
    sku: Sku
    reorder_point: int


@domain_event("inventory.stock_received")
class StockReceived(DomainEvent):
    quantity: int
    reference: str


@domain_event("inventory.stock_adjusted")
class StockAdjusted(DomainEvent):
    delta: int
    reason: str


@domain_event("inventory.stock_set_aside")
class StockSetAside(DomainEvent):
    order: OrderNumber
    quantity: int


@domain_event("inventory.stock_freed")
class StockFreed(DomainEvent):
    order: OrderNumber
    quantity: int


@domain_event("inventory.stock_shipped")
class StockShipped(DomainEvent):
    order: OrderNumber
    quantity: int


@domain_event("inventory.stock_level_changed")
class StockLevelChanged(DomainEvent):
    """What is available crossed the reorder point, or nothing."""

    sku: Sku
    level: str
    available: int
    sequence: int


# --- Reservation ---


@domain_event("inventory.goods_reserved")
class GoodsReserved(DomainEvent):
    order: OrderNumber
    lines: tuple[ReservedLine, ...]


@domain_event("inventory.reservation_refused")
class ReservationRefused(DomainEvent):
    """Not all of it was there, so none of it was set aside."""

    order: OrderNumber
    lines: tuple[ReservedLine, ...]
    shortages: tuple[Shortage, ...]


@domain_event("inventory.reservation_committed")
class ReservationCommitted(DomainEvent):
    order: OrderNumber


@domain_event("inventory.reservation_released")
class ReservationReleased(DomainEvent):
    order: OrderNumber
    reason: str


@domain_event("inventory.reservation_expired")
class ReservationExpired(DomainEvent):
    order: OrderNumber


@domain_event("inventory.reservation_shipped")
class ReservationShipped(DomainEvent):
    order: OrderNumber
    shipment: ShipmentId
