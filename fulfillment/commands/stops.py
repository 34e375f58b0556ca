"""Commands that stop or hold goods before a carrier takes them."""

from collections.abc import Mapping

from fulfillment.commands.goods import first_shipment, goods_of
from fulfillment.models import FulfillmentOrder, Shipment, ShipmentStatus
from fulfillment.queries import shipments_of
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain.identifiers import CancellationId, HoldId, OrderNumber, Sku


def stop_shipment(order: OrderNumber, reason: str) -> None:
    """Cancel the shipment of an order, or refuse if the carrier has it already.

    Raises:
        NotYet: the shipment is not arranged yet.
    """
    with unit_of_work() as work:
        first = first_shipment(work, order)
        goods = work.find(FulfillmentOrder, order)
        first.stop(reason)
        if goods and first.status == ShipmentStatus.CANCELLED:
            goods.stop_all()


def stop_lines(order: OrderNumber, cancellation: CancellationId, quantities: Mapping[Sku, int]) -> None:
    """Stop as many of these units as are still in the warehouse; each cancellation is decided about once.

    Raises:
        NotYet: no shipment of the order is arranged yet.
    """
    with unit_of_work() as work:
        stop_left(work, goods_of(work, order), cancellation, quantities)


def stop_left(
    work: UnitOfWork, goods: FulfillmentOrder, cancellation: CancellationId, quantities: Mapping[Sku, int]
) -> dict[Sku, int]:
    """Stop as many of these units as are left, and take them out of the shipment that waits; returns those."""
    stopped = goods.stop(cancellation, quantities)
    if stopped:
        shipments = work.get_many(Shipment, shipments_of([OrderNumber(goods.order)])).values()
        waiting = next(each for each in shipments if each.status == ShipmentStatus.ARRANGED)
        waiting.take_out(cancellation, stopped)
    return stopped


def hold_goods(order: OrderNumber, hold: HoldId, reason: str) -> None:
    """Let nothing of an order be dispatched until the hold is lifted; each hold is decided about once.

    Raises:
        NotYet: no shipment of the order is arranged yet.
    """
    with unit_of_work() as work:
        goods_of(work, order).hold(hold, reason)


def lift_hold(order: OrderNumber, hold: HoldId) -> None:
    """End a hold; one that arrives later than its end does not begin.

    Raises:
        NotYet: no shipment of the order is arranged yet.
    """
    with unit_of_work() as work:
        goods_of(work, order).lift(hold)
