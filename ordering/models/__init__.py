"""Ordering's aggregates and their rules: methods check, events change, and every status change is in a table."""

from ordering.models.buyer import Buyer
from ordering.models.history import History
from ordering.models.order import (
    MAX_LINES,
    MAX_QUANTITY,
    MAX_TOTAL_MINOR,
    ORDER_LIFE,
    AmountMismatch,
    CancellationReason,
    MixedCurrencies,
    Order,
    OrderLine,
    OrderStatus,
    PaymentStatus,
    QuantityOutOfBounds,
    TooExpensive,
    TooManyLines,
    payment_status_of,
)
from ordering.models.product import MAX_PRICE, Availability, PriceOutOfBounds, Product
from ordering.models.read_models import LifetimeSpend, OrderBoard, SalesOfDay, ShipmentStatus

__all__ = [
    "MAX_LINES",
    "MAX_PRICE",
    "MAX_QUANTITY",
    "MAX_TOTAL_MINOR",
    "ORDER_LIFE",
    "AmountMismatch",
    "Availability",
    "Buyer",
    "CancellationReason",
    "History",
    "LifetimeSpend",
    "MixedCurrencies",
    "Order",
    "OrderBoard",
    "OrderLine",
    "OrderStatus",
    "PaymentStatus",
    "PriceOutOfBounds",
    "Product",
    "QuantityOutOfBounds",
    "SalesOfDay",
    "ShipmentStatus",
    "TooExpensive",
    "TooManyLines",
    "payment_status_of",
]
