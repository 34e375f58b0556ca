"""The domain events of orders about cancelled lines and holds."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import BuyerId, CancellationId, HoldId, OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.personal import PersonalText


@domain_event(
    "ordering.order_lines_cancellation_requested",
    says="the cancellation of {quantities} of order {order} was requested ({cancellation}, {reason})",
)
class OrderLinesCancellationRequested(DomainEvent, kw_only=True):
    """The buyer or an operator asked to cancel some units of a confirmed order; fulfillment decides."""

    order: OrderNumber
    cancellation: CancellationId
    quantities: dict[Sku, int]
    reason: str
    note: PersonalText


@domain_event(
    "ordering.order_lines_cancelled", says="{quantities} of order {order} were cancelled ({cancellation}, {reason})"
)
class OrderLinesCancelled(DomainEvent, kw_only=True):
    """Some units of the order were cancelled; `is_all` if it has no others, so that the whole order is cancelled.

    `shipping_withheld` is what of the shipping a withdrawal does not refund, should nothing else be left of the order.
    """

    order: OrderNumber
    buyer: BuyerId
    cancellation: CancellationId
    quantities: dict[Sku, int]
    reason: str
    is_all: bool = False
    shipping_withheld: Money | None = None


@domain_event(
    "ordering.order_lines_cancellation_refused",
    says="nothing of cancellation {cancellation} of order {order} was cancelled, because it had left",
)
class OrderLinesCancellationRefused(DomainEvent, kw_only=True):
    """Fulfillment could stop none of these units."""

    order: OrderNumber
    cancellation: CancellationId


@domain_event("ordering.order_held", says="hold {hold} was placed on order {order} ({reason})")
class OrderHeld(DomainEvent, kw_only=True):
    """A hold was placed on the order; `is_asked` if fulfillment is asked at once, because it may ship already.

    Otherwise the request to ship carries the hold. `dispute` is the dispute because of which it was placed,
    or the payment whose authorization ends, if any.
    """

    order: OrderNumber
    hold: HoldId
    reason: str
    note: PersonalText
    is_asked: bool
    dispute: str = ""


@domain_event("ordering.order_hold_active", says="hold {hold} of order {order} is active: nothing of it leaves")
class OrderHoldActive(DomainEvent, kw_only=True):
    """Fulfillment dispatches nothing of the order until the hold is lifted."""

    order: OrderNumber
    hold: HoldId


@domain_event("ordering.order_hold_too_late", says="hold {hold} of order {order} came too late: its goods had left")
class OrderHoldTooLate(DomainEvent, kw_only=True):
    """Fulfillment had nothing of the order left to hold."""

    order: OrderNumber
    hold: HoldId


@domain_event("ordering.order_hold_lifted", says="hold {hold} of order {order} was lifted")
class OrderHoldLifted(DomainEvent, kw_only=True):
    """An operator lifted a hold; `is_published` if fulfillment may know of the hold."""

    order: OrderNumber
    hold: HoldId
    is_published: bool
