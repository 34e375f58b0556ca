"""The goods of an order: the names and locks of its shipments, and its `FulfillmentOrder`.

Whatever decides about an order's goods locks the order's first shipment, then its `FulfillmentOrder`, then its other
shipments. So the first of two decisions wins, also against older code, which locks the first shipment, too.
"""

from collections.abc import Collection

from fulfillment.models import GONE, FulfillmentOrder, Shipment, ShipmentStatus
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, ShipmentId, sibling


def shipment_of(order: OrderNumber) -> ShipmentId:
    """The identifier of an order's first shipment, which is its only one unless a part of it left alone."""
    return ShipmentId(sibling("S", order, 1))


def next_shipment(shipment: ShipmentId) -> ShipmentId:
    """The identifier of the shipment that has the rest: `S-1001-3` after `S-1001-2`."""
    order, _, ordinal = shipment.rpartition("-")
    return ShipmentId(f"{order}-{int(ordinal) + 1}")


def lock_shipments(orders: Collection[OrderNumber]) -> None:
    """Lock the first shipments of several orders."""
    with unit_of_work() as work:
        work.prefetch(Shipment, [shipment_of(order) for order in orders])


def lock_goods(orders: Collection[OrderNumber]) -> None:
    """Lock the first shipments of several orders, and then their goods, as far as they are counted."""
    with unit_of_work() as work:
        work.prefetch(Shipment, [shipment_of(order) for order in orders])
        work.prefetch(FulfillmentOrder, orders)


def first_shipment(work: UnitOfWork, order: OrderNumber) -> Shipment:
    """The order's first shipment, locked; raises `NotYet` if none is arranged."""
    first = work.find(Shipment, shipment_of(order))
    if first is None:
        raise NotYet(f"no shipment of {order} is arranged yet")
    return first


def goods_of(work: UnitOfWork, order: OrderNumber) -> FulfillmentOrder:
    """The goods of an order, locked after its first shipment. They are counted from now on if they were not before.

    An order whose goods are not counted has one shipment, which has all of them.

    Raises:
        NotYet: no shipment of the order is arranged yet.
    """
    first = first_shipment(work, order)
    goods = work.find(FulfillmentOrder, order)
    if goods is None:
        goods = FulfillmentOrder.open(order, first.quantities)
        work.add(goods)
        if first.status in GONE:
            goods.dispatch(ShipmentId(first.id), first.quantities)
        elif first.status == ShipmentStatus.CANCELLED:
            goods.stop_all()
    return goods


def to_decide_about(work: UnitOfWork, shipment: ShipmentId) -> tuple[Shipment, FulfillmentOrder | None]:
    """A shipment and the goods of its order, if they are counted, all locked; raises `NotFound`."""
    first = work.find(Shipment, f"{shipment.rpartition('-')[0]}-1")
    goods = work.find(FulfillmentOrder, first.order) if first else None
    return work.get(Shipment, shipment), goods
