"""Commands on the reservations of orders.

Stock items are always locked after reservations and in the order of their SKUs, so that two orders for the same goods
cannot deadlock.
"""

from collections.abc import Collection, Sequence

from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.contracts.inventory import Shortage
from integration.domain.errors import NotYet
from integration.domain.identifiers import CancellationId, OrderNumber, ShipmentId, Sku
from inventory.events import ReservedLine
from inventory.models import Reservation, StockItem

TIMED_OUT = "payment_timeout"
"""The cancellation reason after which a reservation is expired instead of released."""


def lock_stock(orders: Collection[OrderNumber], skus: Collection[Sku]) -> None:
    """Lock the existing reservations of several orders, then the stock items that the orders need."""
    with unit_of_work() as work:
        work.prefetch(Reservation, orders)
        work.prefetch(StockItem, skus)


def lock_reservations(orders: Collection[OrderNumber]) -> None:
    """Lock the reservations of several orders."""
    with unit_of_work() as work:
        work.prefetch(Reservation, orders)


def lock_reserved_stock(orders: Collection[OrderNumber]) -> None:
    """Lock the reservations of several orders, then the stock items of their lines."""
    with unit_of_work() as work:
        reservations = work.prefetch(Reservation, orders)
        work.get_many(StockItem, {line.sku for reservation in reservations.values() for line in reservation.lines})


def reserve_stock(order: OrderNumber, lines: Sequence[ReservedLine]) -> None:
    """Reserve all goods of an order, or none if any is short.

    The decision is made once: if the order has a reservation already, even a refused one, the call does nothing.
    """
    with unit_of_work() as work:
        if work.find(Reservation, order):
            return
        stock = work.get_many(StockItem, [line.sku for line in lines])
        shortages = [
            Shortage(line.sku, line.quantity, available)
            for line in lines
            if line.quantity > (available := stock[line.sku].available if line.sku in stock else 0)
        ]
        if shortages:
            work.add(Reservation.refuse(order, lines, shortages))
            return
        work.add(Reservation.hold(order, lines))
        for line in lines:
            stock[line.sku].set_aside(order, line.quantity)


def commit_reservation(order: OrderNumber) -> None:
    """Keep the goods of a confirmed order reserved until they are shipped.

    Raises:
        NotYet: the order has no reservation yet.
        NotAllowed: the reservation is expired or refused.
    """
    with unit_of_work() as work:
        _reservation(work, order).commit()


def release_reservation(order: OrderNumber, reason: str) -> None:
    """End the reservation of a cancelled order and make its goods available again.

    Args:
        reason: why the order was cancelled; `payment_timeout` expires the reservation, any other reason releases it.

    Raises:
        NotYet: the order has no reservation yet.
        NotAllowed: the goods are shipped, or a committed reservation was to expire.
    """
    with unit_of_work() as work:
        reservation = _reservation(work, order)
        freed = reservation.expire() if reason == TIMED_OUT else reservation.release(reason)
        stock = work.get_many(StockItem, [line.sku for line in freed])
        for line in freed:
            stock[line.sku].free(order, line.quantity)


def ship_reservation(order: OrderNumber, shipment: ShipmentId, lines: Sequence[ReservedLine]) -> None:
    """Deduct the goods of a shipment from those on hand; the last shipment of an order ends its reservation.

    A shipment counts once.

    Raises:
        NotYet: the order has no reservation yet, or its reservation is not committed.
        NotAllowed: the reservation was released, expired or refused.
        NotReserved: the shipment has more of a SKU than is still reserved.
    """
    with unit_of_work() as work:
        shipped = _reservation(work, order).ship(shipment, lines)
        stock = work.get_many(StockItem, [line.sku for line in shipped])
        for line in shipped:
            stock[line.sku].ship(order, line.quantity)


def release_lines(order: OrderNumber, cancellation: CancellationId, lines: Sequence[ReservedLine]) -> None:
    """Make cancelled units of an order available again; a cancellation counts once.

    Raises:
        NotYet: the order has no reservation yet, or its reservation is not committed.
        NotAllowed: the reservation was expired or refused.
        NotReserved: fewer units are still reserved.
    """
    with unit_of_work() as work:
        freed = _reservation(work, order).release_units(cancellation, lines)
        stock = work.get_many(StockItem, [line.sku for line in freed])
        for line in freed:
            stock[line.sku].free(order, line.quantity)


def _reservation(work: UnitOfWork, order: OrderNumber) -> Reservation:
    reservation = work.find(Reservation, order)
    if reservation is None:
        raise NotYet(f"order {order} has no reservation yet")
    return reservation
