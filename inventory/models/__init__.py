"""Inventory's aggregates and their rules: it reserves no more units than are on hand, and records every movement."""

from inventory.models.history import History
from inventory.models.read_models import StockOfDay
from inventory.models.reservation import (
    RESERVATION_LIFE,
    NotReserved,
    Reservation,
    ReservationLine,
    ReservationStatus,
)
from inventory.models.stock_item import (
    MAX_QUANTITY,
    Level,
    NothingAdjusted,
    NotInQuarantine,
    NotThatMany,
    QuantityOutOfBounds,
    ReservedGoods,
    StockItem,
)

__all__ = [
    "MAX_QUANTITY",
    "RESERVATION_LIFE",
    "History",
    "Level",
    "NotInQuarantine",
    "NotReserved",
    "NotThatMany",
    "NothingAdjusted",
    "QuantityOutOfBounds",
    "Reservation",
    "ReservationLine",
    "ReservationStatus",
    "ReservedGoods",
    "StockItem",
    "StockOfDay",
]
