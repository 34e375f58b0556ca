"""What can be done in inventory: one function a use case, one unit of work each.

Stock is always locked in the order of its skus, so that two orders for the same goods never wait for each other.
"""

from collections.abc import Collection, Sequence

from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.contracts.inventory import Shortage
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from inventory.events import ReservedLine
from inventory.models import Reservation, StockItem

TIMED_OUT = "payment_timeout"
"""The reason of a cancellation after which a reservation counts as expired."""


def open_stock_item(sku: Sku) -> None:
    """A place on the shelf for a product that is offered now; nothing if there is one."""
    with unit_of_work() as work:
        if work.find(StockItem, sku) is None:
            work.add(StockItem.open(sku))


def receive_stock(sku: Sku, quantity: int, reference: str = "", if_version: Collection[int] | None = None) -> StockItem:
    """Goods came in; raises `NotFound`, `QuantityOutOfBounds`, `StaleVersion`."""
    with unit_of_work() as work:
        item = work.get(StockItem, sku)
        item.expect_version(if_version)
        item.receive(quantity, reference)
    return item


def stock_up(quantities: Sequence[tuple[Sku, int]], reference: str = "") -> None:
    """Receive several skus at once, opening the places that are not there yet; raises `QuantityOutOfBounds`."""
    with unit_of_work() as work:
        items = work.get_many(StockItem, [sku for sku, _ in quantities])
        for sku, quantity in quantities:
            item = items.get(sku)
            if item is None:
                item = items[sku] = StockItem.open(sku)
                work.add(item)
            item.receive(quantity, reference)


def adjust_stock(sku: Sku, delta: int, reason: str, if_version: Collection[int] | None = None) -> StockItem:
    """Somebody counted; raises `NotFound`, `NothingAdjusted`, `ReservedGoods`, `StaleVersion`."""
    with unit_of_work() as work:
        item = work.get(StockItem, sku)
        item.expect_version(if_version)
        item.adjust(delta, reason)
    return item


def lock_stock(orders: Collection[OrderNumber], skus: Collection[Sku]) -> None:
    """Lock the reservations there are for several orders, and then the stock they are going to need."""
    with unit_of_work() as work:
        work.prefetch(Reservation, orders)
        work.prefetch(StockItem, skus)


def lock_reservations(orders: Collection[OrderNumber]) -> None:
    """Lock the reservations of several orders."""
    with unit_of_work() as work:
        work.prefetch(Reservation, orders)


def lock_reserved_stock(orders: Collection[OrderNumber]) -> None:
    """Lock the reservations of several orders, and then the stock they are about."""
    with unit_of_work() as work:
        reservations = work.prefetch(Reservation, orders)
        work.get_many(StockItem, {line.sku for reservation in reservations.values() for line in reservation.lines})


def reserve_stock(order: OrderNumber, lines: Sequence[ReservedLine]) -> None:
    """Set all the goods of an order aside, or, if one of them is short, none; nothing if that was decided before."""
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
    """The order is confirmed; raises `NotYet` before its reservation is decided."""
    with unit_of_work() as work:
        _reservation(work, order).commit()


def release_reservation(order: OrderNumber, reason: str) -> None:
    """The order is cancelled: free what was set aside. Raises `NotYet` before its reservation is decided."""
    with unit_of_work() as work:
        reservation = _reservation(work, order)
        freed = reservation.expire() if reason == TIMED_OUT else reservation.release(reason)
        if freed:
            stock = work.get_many(StockItem, [line.sku for line in reservation.lines])
            for line in reservation.lines:
                stock[line.sku].free(order, line.quantity)


def ship_reservation(order: OrderNumber, shipment: ShipmentId) -> None:
    """The goods left the house: take them off the shelf. Raises `NotYet` before the reservation is committed."""
    with unit_of_work() as work:
        reservation = _reservation(work, order)
        if reservation.ship(shipment):
            stock = work.get_many(StockItem, [line.sku for line in reservation.lines])
            for line in reservation.lines:
                stock[line.sku].ship(order, line.quantity)


def _reservation(work: UnitOfWork, order: OrderNumber) -> Reservation:
    reservation = work.find(Reservation, order)
    if reservation is None:
        raise NotYet(f"order {order} has not been looked at yet")
    return reservation
