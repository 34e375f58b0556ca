"""The contracts that ordering publishes."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent, contract
from integration.contracts.order_parts import GivenDiscount as GivenDiscount
from integration.contracts.order_parts import LineToShip as LineToShip
from integration.contracts.order_parts import OrderedLine as OrderedLine
from integration.contracts.order_parts import OrderedShipping as OrderedShipping
from integration.contracts.order_parts import OrderedTax as OrderedTax
from integration.contracts.order_parts import OrderedUnits as OrderedUnits
from integration.domain.identifiers import (
    BuyerId,
    CancellationId,
    HoldId,
    OrderNumber,
    ShipmentId,
    Sku,
    WithdrawalId,
)
from integration.domain.money import Money
from integration.domain.personal import PersonalAddress, PersonalPaymentMethod
from integration.domain.plain_prices import plain_discounts, plain_lines
from integration.domain.versions import upcast


@contract("ordering.product-listed")
class ProductListed(IntegrationEvent, kw_only=True):
    """A product is offered for sale for the first time."""

    sku: Sku
    name: str


@contract("ordering.order-placed", version=2)
class OrderPlaced(IntegrationEvent, kw_only=True):
    """A buyer placed an order at these prices and chose a payment method.

    The totals of the lines and of shipping add up to `total`. `taxes` has the tax of lines and shipping by rate; it is
    None if older code published the order.
    """

    order: OrderNumber
    buyer: BuyerId
    payment_method: PersonalPaymentMethod
    lines: tuple[OrderedLine, ...]
    discounts: tuple[GivenDiscount, ...]
    discount: Money
    shipping: OrderedShipping | None
    tax: Money
    prices_include_tax: bool
    total: Money
    taxes: tuple[OrderedTax, ...] | None = None


@upcast(OrderPlaced, from_version=1)
def one_discount_for_the_whole_order(data: dict[str, Any]) -> dict[str, Any]:
    """Before version 2 an order had no tax, no shipping, and at most the discount of loyal buyers."""
    return {
        **data,
        "lines": plain_lines(data["lines"], data["discount"]),
        "discounts": plain_discounts(data["discount"]),
        "shipping": None,
        "tax": {"amount": "0", "currency": data["total"]["currency"]},
        "prices_include_tax": False,
    }


@contract("ordering.payment-retried")
class PaymentRetried(IntegrationEvent, kw_only=True):
    """The order's payment failed, and its buyer chose another method; `attempt` counts the payments from 1."""

    order: OrderNumber
    payment_method: PersonalPaymentMethod
    attempt: int


@contract("ordering.order-confirmed")
class OrderConfirmed(IntegrationEvent, kw_only=True):
    """The order is paid and its goods are reserved: it will be shipped."""

    order: OrderNumber


class OpenHold(Struct, frozen=True):
    """A hold that was placed on an order before it was confirmed."""

    hold: HoldId
    reason: str


@contract("ordering.shipping-requested", version=2)
class ShippingRequested(IntegrationEvent, kw_only=True, omit_defaults=True):
    """A confirmed order is to be shipped. While one of its `holds` is open, nothing of it may be dispatched.

    Only this contract, `AddressCorrectionRequested` and `PayerNamed` carry an address; fulfillment consumes the first
    two. Code that knows only version 1 would ignore the holds.
    """

    order: OrderNumber
    recipient: PersonalAddress
    lines: tuple[LineToShip, ...]
    holds: tuple[OpenHold, ...] = ()


upcast(ShippingRequested, from_version=1)(lambda data: data)


@contract("ordering.payer-named")
class PayerNamed(IntegrationEvent, kw_only=True):
    """Who pays for a confirmed order: an invoice must name the customer (Directive 2006/112/EC, article 226 (5))."""

    order: OrderNumber
    payer: PersonalAddress


@contract("ordering.order-cancellation-requested")
class OrderCancellationRequested(IntegrationEvent, kw_only=True):
    """The cancellation of a confirmed order was requested. Fulfillment decides whether it is still possible."""

    order: OrderNumber
    reason: str


@contract("ordering.order-cancelled")
class OrderCancelled(IntegrationEvent, kw_only=True, omit_defaults=True):
    """The order was cancelled before anything was shipped.

    If the buyer withdrew from it, `shipping_withheld` is the surcharge for a costlier shipping option. It is not
    refunded.
    """

    order: OrderNumber
    reason: str
    shipping_withheld: Money | None = None


@contract("ordering.order-claimed")
class OrderClaimed(IntegrationEvent, kw_only=True):
    """A buyer took over an order that they placed as a guest. From now on it is theirs alone.

    A guest has one order, and the guest's personal data is erased.
    """

    order: OrderNumber
    guest: BuyerId
    buyer: BuyerId


@contract("ordering.order-link-requested")
class OrderLinkRequested(IntegrationEvent, kw_only=True):
    """Somebody who may be the guest asked for a new link to an order, which may not exist.

    Args:
        request: identifies the request, so that its letter is sent once.
        email_digest: a keyed hash of the e-mail address that they gave.
    """

    order: OrderNumber
    request: str
    email_digest: str


@contract("ordering.order-lines-cancellation-requested")
class OrderLinesCancellationRequested(IntegrationEvent, kw_only=True):
    """The cancellation of some units of a confirmed order was requested. Fulfillment decides which it can stop."""

    order: OrderNumber
    cancellation: CancellationId
    lines: tuple[OrderedUnits, ...]
    reason: str


@contract("ordering.order-lines-cancelled")
class OrderLinesCancelled(IntegrationEvent, kw_only=True, omit_defaults=True):
    """These units of an order were cancelled; other units of it are shipped, or still to be shipped.

    If no other units are left, `OrderCancelled` is published instead. `shipping_withheld` is not refunded when the last
    units of the order are gone.
    """

    order: OrderNumber
    cancellation: CancellationId
    lines: tuple[OrderedUnits, ...]
    reason: str
    shipping_withheld: Money | None = None


@contract("ordering.address-correction-requested")
class AddressCorrectionRequested(IntegrationEvent, kw_only=True):
    """What has not left of a confirmed order is to go to another address. Fulfillment says whether that came too late.

    `correction` counts the corrections of the order: a lower one than before is out of date.
    """

    order: OrderNumber
    correction: int
    recipient: PersonalAddress


@contract("ordering.hold-requested")
class HoldRequested(IntegrationEvent, kw_only=True):
    """Nothing of a confirmed order is to be dispatched from now on. Fulfillment says whether that came too late."""

    order: OrderNumber
    hold: HoldId
    reason: str


@contract("ordering.hold-lifted")
class HoldLifted(IntegrationEvent, kw_only=True):
    """A hold of a confirmed order is over. It may arrive before its `HoldRequested`."""

    order: OrderNumber
    hold: HoldId


@contract("ordering.payment-overdue")
class PaymentOverdue(IntegrationEvent, kw_only=True):
    """The time for the payment of an order that waits for the buyer or their bank is over: is the money coming?

    Billing ends the payment, and says whether it expired or succeeded. Only that cancels the order.
    """

    order: OrderNumber


@contract("ordering.payment-due")
class PaymentDue(IntegrationEvent, kw_only=True):
    """Goods of an order left whose payment is only authorized: they are to be paid now."""

    order: OrderNumber
    shipment: ShipmentId
    lines: tuple[OrderedUnits, ...]


@contract("ordering.buyer-erased")
class BuyerErased(IntegrationEvent, kw_only=True):
    """A buyer's personal data is to be erased.

    Every consumer erases the personal data that it stores for these orders, all of which have ended. A buyer with many
    orders is published in several of these events.
    """

    buyer: BuyerId
    orders: tuple[OrderNumber, ...]


@contract("ordering.order-replaced")
class OrderReplaced(IntegrationEvent, kw_only=True):
    """Another order, which costs nothing, has the goods of a shipment of this order that is lost or came back."""

    order: OrderNumber
    shipment: ShipmentId
    replacement: OrderNumber


@contract("ordering.order-withdrawn")
class OrderWithdrawn(IntegrationEvent, kw_only=True, omit_defaults=True):
    """The buyer withdrew from these units of an order. Nothing undoes it.

    If the order is confirmed, fulfillment stops what has not left, and expects the rest back. Otherwise the order is
    cancelled. `shipping_withheld` is the surcharge for a costlier shipping option, which is not refunded.
    """

    order: OrderNumber
    withdrawal: WithdrawalId
    lines: tuple[OrderedUnits, ...]
    declared_at: datetime
    is_confirmed: bool
    shipping_withheld: Money | None = None
