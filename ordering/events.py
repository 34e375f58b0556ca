"""What happens in ordering, in its own words; no other context hears these."""

from datetime import datetime

from msgspec import Struct

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, ShipmentId, Sku
from integration.domain.money import Money
from integration.domain.personal import PersonalAddress, PersonalAddressIfAny, PersonalPaymentMethod, PersonalText


class PlacedLine(Struct, frozen=True):
    """So many of one product, at its price at the moment of placing."""

    sku: Sku
    name: str
    quantity: int
    unit_price: Money

    @property
    def total(self) -> Money:
        """What the line costs before any discount."""
        return self.unit_price * self.quantity


# --- Product ---


@domain_event("ordering.product_listed")
class ProductListed(DomainEvent):
    sku: Sku
    name: str
    description: str
    price: Money


@domain_event("ordering.product_changed")
class ProductChanged(DomainEvent):
    name: str
    description: str
    price: Money
    on_sale: bool


@domain_event("ordering.product_availability_changed")
class ProductAvailabilityChanged(DomainEvent):
    availability: str
    sequence: int


# --- Buyer ---


@domain_event("ordering.buyer_registered")
class BuyerRegistered(DomainEvent):
    buyer: BuyerId
    user: int | None
    name: PersonalText
    email: PersonalText
    currency: str


@domain_event("ordering.buyer_profile_changed")
class BuyerProfileChanged(DomainEvent):
    name: PersonalText
    email: PersonalText
    default_shipping_address: PersonalAddressIfAny
    locale: str
    email_notifications: bool


@domain_event("ordering.buyer_spend_changed")
class BuyerSpendChanged(DomainEvent):
    """The buyer's lifetime spend grew with a confirmed order, or shrank with one taken back."""

    buyer: BuyerId
    order: OrderNumber
    change: Money
    spend: Money


@domain_event("ordering.buyer_discount_changed")
class BuyerDiscountChanged(DomainEvent):
    percent: int
    reason: str


@domain_event("ordering.buyer_erased")
class BuyerErased(DomainEvent):
    """All that was personal of the buyer is gone, and of these orders of theirs as well."""

    buyer: BuyerId
    orders: tuple[OrderNumber, ...]


# --- Order ---


@domain_event("ordering.order_placed")
class OrderPlaced(DomainEvent):
    order: OrderNumber
    buyer: BuyerId
    lines: tuple[PlacedLine, ...]
    shipping_address: PersonalAddress
    payment_method: PersonalPaymentMethod
    subtotal: Money
    discount: Money
    total: Money
    payment_due_at: datetime


@domain_event("ordering.order_goods_reserved")
class OrderGoodsReserved(DomainEvent):
    order: OrderNumber


@domain_event("ordering.order_confirmed")
class OrderConfirmed(DomainEvent):
    order: OrderNumber
    buyer: BuyerId
    payment: PaymentId
    paid: Money


@domain_event("ordering.order_paid_too_late")
class OrderPaidTooLate(DomainEvent):
    """Money came in for an order that had been cancelled; billing gives it back."""

    order: OrderNumber
    payment: PaymentId
    paid: Money


@domain_event("ordering.order_cancellation_requested")
class OrderCancellationRequested(DomainEvent):
    order: OrderNumber
    reason: str
    note: PersonalText


@domain_event("ordering.order_cancellation_refused")
class OrderCancellationRefused(DomainEvent):
    order: OrderNumber


@domain_event("ordering.order_cancelled")
class OrderCancelled(DomainEvent):
    order: OrderNumber
    buyer: BuyerId
    reason: str
    note: PersonalText
    total: Money
    was_confirmed: bool


@domain_event("ordering.order_shipped")
class OrderShipped(DomainEvent):
    order: OrderNumber
    shipment: ShipmentId
    carrier: str
    tracking_number: str
    quantities: dict[Sku, int]


@domain_event("ordering.order_delivered")
class OrderDelivered(DomainEvent):
    order: OrderNumber
    shipment: ShipmentId


@domain_event("ordering.order_refunded")
class OrderRefunded(DomainEvent):
    """Money went back to the buyer; `refunded` is all of it so far."""

    order: OrderNumber
    refunded: Money


@domain_event("ordering.order_anonymized")
class OrderAnonymized(DomainEvent):
    """Its buyer was erased: only what the books need is left of it, and the country it was sent to."""

    order: OrderNumber
