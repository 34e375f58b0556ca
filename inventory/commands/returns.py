"""Commands that take back goods that buyers sent back."""

from collections.abc import Collection, Sequence

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, ReceiptId, Sku
from inventory.events import ReturnedLine
from inventory.models import Reservation, StockItem
from inventory.models.reservation import QUARANTINE, RESTOCK


def lock_returned_stock(orders: Collection[OrderNumber], skus: Collection[Sku]) -> None:
    """Lock the reservations of several orders, then the stock items of these SKUs, each in key order."""
    with unit_of_work() as work:
        work.prefetch(Reservation, orders)
        work.prefetch(StockItem, skus)


def take_back(order: OrderNumber, receipt: ReceiptId, lines: Sequence[ReturnedLine]) -> None:
    """Add goods of a return to the stock or to quarantine, or write them off. A receipt counts once.

    Goods to write off were not in the stock any more, so they move nothing.

    Raises:
        NotYet: the goods have not left the warehouse yet, as far as inventory knows.
    """
    with unit_of_work() as work:
        reservation = work.find(Reservation, order)
        if reservation is None:
            raise NotYet(f"order {order} has no reservation yet")
        taken = reservation.take_back(receipt, lines)
        stock = work.get_many(StockItem, {line.sku for line in taken})
        for line in taken:
            if line.disposition == RESTOCK:
                stock[line.sku].come_back(order, receipt, line.quantity)
            elif line.disposition == QUARANTINE:
                stock[line.sku].come_back_to_quarantine(order, receipt, line.quantity)
