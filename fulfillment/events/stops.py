"""The domain events of goods that are stopped or held before a carrier takes them."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import CancellationId, HoldId, OrderNumber, ShipmentId, Sku


@domain_event(
    "fulfillment.shipment_lines_stopped", says="{quantities} were taken out of shipment {shipment} ({cancellation})"
)
class ShipmentLinesStopped(DomainEvent, kw_only=True):
    """Some of the goods of a shipment stay in the warehouse. A shipment of which nothing is left is cancelled."""

    shipment: ShipmentId
    order: OrderNumber
    cancellation: CancellationId
    quantities: dict[Sku, int]


@domain_event("fulfillment.goods_stopped", says="{quantities} of order {order} were stopped ({cancellation})")
class GoodsStopped(DomainEvent, kw_only=True):
    """Some goods of the order never leave the warehouse. Others that were to be stopped are `gone`."""

    order: OrderNumber
    cancellation: CancellationId
    quantities: dict[Sku, int]
    gone: dict[Sku, int]

    def sentence(self, key: str) -> str:
        if self.quantities:
            return super().sentence(key)
        return f"Nothing of order {self.order} could be stopped, because it had left ({self.cancellation})"


@domain_event("fulfillment.all_goods_stopped", says="all that was left of order {order} was stopped: {quantities}")
class AllGoodsStopped(DomainEvent, kw_only=True):
    """The order was cancelled: what was left of its goods stays in the warehouse."""

    order: OrderNumber
    quantities: dict[Sku, int]


@domain_event("fulfillment.goods_held", says="the goods of order {order} are held ({hold}, {reason})")
class GoodsHeld(DomainEvent, kw_only=True):
    """Nothing of the order may leave until the hold is lifted."""

    order: OrderNumber
    hold: HoldId
    reason: str


@domain_event(
    "fulfillment.hold_refused", says="order {order} could not be held, because it had left ({hold}, {reason})"
)
class HoldRefused(DomainEvent, kw_only=True):
    """A hold came too late: nothing of the order was left in the warehouse."""

    order: OrderNumber
    hold: HoldId
    reason: str


@domain_event("fulfillment.hold_lifted", says="hold {hold} of order {order} was lifted")
class HoldLifted(DomainEvent, kw_only=True):
    """The hold is over, also if it was not known before."""

    order: OrderNumber
    hold: HoldId
