"""The domain events of orders."""

from datetime import datetime
from typing import Any

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, ShipmentId, Sku
from integration.domain.money import Money
from integration.domain.personal import PersonalAddress, PersonalPaymentMethod, PersonalText
from integration.domain.plain_prices import plain_discounts, shares_of
from integration.domain.versions import upcast
from ordering.pricing.placed import PlacedDiscount, PlacedLine, PlacedShipping, PlacedTax


@domain_event("ordering.order_placed", version=2, says="order {order} was placed for {total}: {lines}")
class OrderPlaced(DomainEvent, kw_only=True, omit_defaults=True):
    """A buyer placed an order; it is cancelled unless it is paid by `payment_due_at`.

    The totals of the lines and of shipping add up to `total`. `vouchers` are the codes of those that the order claims.
    `replaces` is the order whose goods it sends again.
    """

    order: OrderNumber
    buyer: BuyerId
    lines: tuple[PlacedLine, ...]
    shipping_address: PersonalAddress
    payment_method: PersonalPaymentMethod
    subtotal: Money
    discount: Money
    total: Money
    payment_due_at: datetime
    discounts: tuple[PlacedDiscount, ...] = ()
    shipping: PlacedShipping | None = None
    taxes: tuple[PlacedTax, ...] = ()
    prices_include_tax: bool = False
    vouchers: tuple[str, ...] = ()
    replaces: OrderNumber | None = None

    @property
    def tax(self) -> Money:
        """The tax at all rates."""
        return Money.sum((tax.amount for tax in self.taxes), self.total.currency)


@upcast(OrderPlaced, from_version=1)
def one_discount_for_the_whole_order(data: dict[str, Any]) -> dict[str, Any]:
    """Before version 2 an order had at most the discount of loyal buyers, which its lines share."""
    prices = [Money(**line["unit_price"]) * line["quantity"] for line in data["lines"]]
    shares = shares_of(Money(**data["discount"]), prices)
    lines = [{**line, "discount_minor": share.minor} for line, share in zip(data["lines"], shares, strict=True)]
    return {**data, "lines": lines, "discounts": plain_discounts(data["discount"])}


@domain_event("ordering.order_goods_reserved", says="the goods of order {order} were reserved")
class OrderGoodsReserved(DomainEvent, kw_only=True):
    """Inventory reserved all goods of the order, which now awaits its payment."""

    order: OrderNumber


@domain_event("ordering.order_confirmed", says="order {order} was paid with {paid} and confirmed")
class OrderConfirmed(DomainEvent, kw_only=True, omit_defaults=True):
    """The order is paid in full and will be shipped; `payment` is empty if nothing was to be paid.

    Instead, the payment may be `authorized`: then nothing is paid yet, and `sequence` is billing's.
    """

    order: OrderNumber
    buyer: BuyerId
    payment: PaymentId
    paid: Money
    authorized: Money | None = None
    sequence: int = 0

    @property
    def spend(self) -> Money:
        """By how much it raises the buyer's lifetime spend."""
        return self.authorized or self.paid

    def sentence(self, key: str) -> str:
        if self.authorized:
            return f"Order {self.order} was confirmed, for which {self.authorized} are authorized"
        return super().sentence(key) if self.payment else f"Order {self.order} cost nothing and was confirmed"


@domain_event("ordering.order_paid_too_late", says="{paid} arrived for order {order} after it was cancelled")
class OrderPaidTooLate(DomainEvent, kw_only=True):
    """A payment arrived for an order that was already cancelled; billing refunds it."""

    order: OrderNumber
    payment: PaymentId
    paid: Money


@domain_event(
    "ordering.order_cancellation_requested", says="the cancellation of order {order} was requested ({reason})"
)
class OrderCancellationRequested(DomainEvent, kw_only=True):
    """The buyer or an operator asked to cancel a confirmed order; fulfillment decides."""

    order: OrderNumber
    reason: str
    note: PersonalText


@domain_event(
    "ordering.order_cancellation_refused", says="order {order} could not be cancelled, because its shipment had left"
)
class OrderCancellationRefused(DomainEvent, kw_only=True):
    """Fulfillment could not stop the shipment, so the order is not cancelled."""

    order: OrderNumber


@domain_event("ordering.order_cancelled", says="order {order} of {total} was cancelled ({reason})")
class OrderCancelled(DomainEvent, kw_only=True):
    """The order ended before anything was shipped.

    `spend` is by how much it lowers the buyer's lifetime spend. Older code recorded none and means the total, if the
    order was confirmed. `shipping_withheld` is the surcharge for a costlier shipping option: a withdrawal does not
    refund it.
    """

    order: OrderNumber
    buyer: BuyerId
    reason: str
    note: PersonalText
    total: Money
    was_confirmed: bool
    spend: Money | None = None
    shipping_withheld: Money | None = None

    @property
    def lowers_spend_by(self) -> Money:
        """By how much the cancellation lowers the buyer's lifetime spend."""
        if not self.was_confirmed:
            return Money.zero(self.total.currency)
        return self.total if self.spend is None else self.spend


@domain_event("ordering.order_shipment_arranged", says="shipment {shipment} was arranged for order {order}")
class OrderShipmentArranged(DomainEvent, kw_only=True):
    """Fulfillment arranged a shipment of the order, which waits to be packed."""

    order: OrderNumber
    shipment: ShipmentId


@domain_event(
    "ordering.order_shipped", says="order {order} was shipped with {carrier} as {tracking_number}: {quantities}"
)
class OrderShipped(DomainEvent, kw_only=True, omit_defaults=True):
    """Goods of the order left the warehouse in a shipment."""

    order: OrderNumber
    shipment: ShipmentId
    carrier: str
    tracking_number: str
    quantities: dict[Sku, int]
    tracking_url: str = ""


@domain_event("ordering.order_delivered", says="order {order} was delivered in shipment {shipment}")
class OrderDelivered(DomainEvent, kw_only=True, omit_defaults=True):
    """A shipment of the order reached its recipient; `sequence` is as in `OrderShipmentTracked`."""

    order: OrderNumber
    shipment: ShipmentId
    sequence: int = 0


@domain_event("ordering.order_refunded", says="the refunds of order {order} came to {refunded}")
class OrderRefunded(DomainEvent, kw_only=True):
    """Money was refunded to the buyer; `refunded` is the total so far.

    `spend` is by how much it lowers the buyer's lifetime spend: nothing once the order is cancelled. Older code
    recorded neither buyer nor spend, and refunds did not lower the spend. If a refund failed after it was issued,
    `refunded` is lower than before, and `spend` negative. `sequence` is billing's.
    """

    order: OrderNumber
    refunded: Money
    buyer: BuyerId | None = None
    spend: Money | None = None
    sequence: int = 0


@domain_event("ordering.order_claimed", says="order {order} of a guest became that of buyer {buyer} ({spend})")
class OrderClaimed(DomainEvent, kw_only=True):
    """A buyer took over an order that they placed as a guest.

    `spend` is what the order counts in the lifetime spend; None if it is not confirmed, or cancelled.
    """

    order: OrderNumber
    guest: BuyerId
    buyer: BuyerId
    spend: Money | None

    def sentence(self, key: str) -> str:
        text = super().sentence(key)
        return text if self.spend else text.partition(" (")[0]


@domain_event("ordering.order_anonymized", says="order {order} was anonymized", erases=True)
class OrderAnonymized(DomainEvent, kw_only=True):
    """The buyer was erased; the order retains only accounting data and the country of its address."""

    order: OrderNumber
