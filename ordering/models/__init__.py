"""Ordering's aggregates and their rules: methods check, events change state, and a table has every transition."""

from ordering.models.buyer import Buyer
from ordering.models.cart import CART_LIFE, MAX_CODES, Cart, CartStatus
from ordering.models.history import History
from ordering.models.letter_bounce import BOUNCE_LIFE, BounceOutcome, BounceStatus, LetterBounce
from ordering.models.order import AmountMismatch, Order
from ordering.models.order_line import (
    MAX_LINES,
    MAX_QUANTITY,
    MAX_TOTAL_MINOR,
    MixedCurrencies,
    OrderLine,
    QuantityOutOfBounds,
    TooExpensive,
    TooManyLines,
)
from ordering.models.order_lines_and_holds import NotOrdered
from ordering.models.order_requests import HoldReason, HoldStatus, RequestStatus
from ordering.models.order_returns import NothingToWithdraw, WithdrawalTooEarly
from ordering.models.order_states import (
    CONFIRMED_STATES,
    ENDED,
    ORDER_LIFE,
    PAYMENT_NAMES,
    SHIPMENT_NAMES,
    CancellationReason,
    OrderStatus,
    PaymentStatus,
    ShipmentStatus,
    payment_status_of,
)
from ordering.models.product import MAX_PRICE_MINOR, Availability, PriceOutOfBounds, Product
from ordering.models.rates import MAX_WEIGHT_G, ShippingRate, TaxClass, TaxRate
from ordering.models.read_models import LifetimeSpend, OrderBoard, SalesOfDay, SalesOfHour
from ordering.models.search import BuyerText, OrderText
from ordering.models.sent_letter import SentLetter
from ordering.models.voucher import MAX_CLAIMS, LimitBelowUse, LimitStays, Voucher, VoucherUsedUp
from ordering.models.voucher_claim import CLAIM_LIFE, ClaimStatus, VoucherClaim, claim_id

__all__ = [
    "BOUNCE_LIFE",
    "CART_LIFE",
    "CLAIM_LIFE",
    "CONFIRMED_STATES",
    "ENDED",
    "MAX_CLAIMS",
    "MAX_CODES",
    "MAX_LINES",
    "MAX_PRICE_MINOR",
    "MAX_QUANTITY",
    "MAX_TOTAL_MINOR",
    "MAX_WEIGHT_G",
    "ORDER_LIFE",
    "PAYMENT_NAMES",
    "SHIPMENT_NAMES",
    "AmountMismatch",
    "Availability",
    "BounceOutcome",
    "BounceStatus",
    "Buyer",
    "BuyerText",
    "CancellationReason",
    "Cart",
    "CartStatus",
    "ClaimStatus",
    "History",
    "HoldReason",
    "HoldStatus",
    "LetterBounce",
    "LifetimeSpend",
    "LimitBelowUse",
    "LimitStays",
    "MixedCurrencies",
    "NotOrdered",
    "NothingToWithdraw",
    "Order",
    "OrderBoard",
    "OrderLine",
    "OrderStatus",
    "OrderText",
    "PaymentStatus",
    "PriceOutOfBounds",
    "Product",
    "QuantityOutOfBounds",
    "RequestStatus",
    "SalesOfDay",
    "SalesOfHour",
    "SentLetter",
    "ShipmentStatus",
    "ShippingRate",
    "TaxClass",
    "TaxRate",
    "TooExpensive",
    "TooManyLines",
    "Voucher",
    "VoucherClaim",
    "VoucherUsedUp",
    "WithdrawalTooEarly",
    "claim_id",
    "payment_status_of",
]
