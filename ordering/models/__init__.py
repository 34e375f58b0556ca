"""Ordering's aggregates and their rules: methods check, events change, and every status change is in a table."""

from ordering.models.buyer import Buyer
from ordering.models.history import History
from ordering.models.order import (
    MAX_LINES,
    MAX_QUANTITY,
    ORDER_LIFE,
    AmountMismatch,
    CancellationReason,
    MixedCurrencies,
    Order,
    OrderLine,
    OrderStatus,
    QuantityOutOfBounds,
    TooManyLines,
)
from ordering.models.product import MAX_PRICE, Availability, PriceOutOfBounds, Product

__all__ = [
    "MAX_LINES",
    "MAX_PRICE",
    "MAX_QUANTITY",
    "ORDER_LIFE",
    "AmountMismatch",
    "Availability",
    "Buyer",
    "CancellationReason",
    "History",
    "MixedCurrencies",
    "Order",
    "OrderLine",
    "OrderStatus",
    "PriceOutOfBounds",
    "Product",
    "QuantityOutOfBounds",
    "TooManyLines",
]
