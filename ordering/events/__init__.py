"""Ordering's domain events. They stay inside ordering; `policies/` publishes contracts for other contexts."""

from ordering.events.buyers import (
    BuyerDiscountChanged,
    BuyerErased,
    BuyerProfileChanged,
    BuyerRegistered,
    BuyerSpendChanged,
)
from ordering.events.orders import (
    OrderAnonymized,
    OrderCancellationRefused,
    OrderCancellationRequested,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderGoodsReserved,
    OrderPaidTooLate,
    OrderPlaced,
    OrderRefunded,
    OrderShipmentArranged,
    OrderShipped,
)
from ordering.events.products import (
    ProductAvailabilityChanged,
    ProductChanged,
    ProductListed,
    ProductTermsChanged,
)
from ordering.pricing.placed import PlacedDiscount, PlacedLine, PlacedShipping, PlacedTax

__all__ = [
    "BuyerDiscountChanged",
    "BuyerErased",
    "BuyerProfileChanged",
    "BuyerRegistered",
    "BuyerSpendChanged",
    "OrderAnonymized",
    "OrderCancellationRefused",
    "OrderCancellationRequested",
    "OrderCancelled",
    "OrderConfirmed",
    "OrderDelivered",
    "OrderGoodsReserved",
    "OrderPaidTooLate",
    "OrderPlaced",
    "OrderRefunded",
    "OrderShipmentArranged",
    "OrderShipped",
    "PlacedDiscount",
    "PlacedLine",
    "PlacedShipping",
    "PlacedTax",
    "ProductAvailabilityChanged",
    "ProductChanged",
    "ProductListed",
    "ProductTermsChanged",
]
