"""Commands on stock items, for operators and for new products."""

from collections.abc import Collection, Sequence

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import Refused
from integration.domain.identifiers import Sku
from inventory.commands.receiving import require_new_reference
from inventory.models import StockItem


class StockMoved(Refused):
    """Units were received, shipped or adjusted since they were counted."""


def open_stock_item(sku: Sku) -> None:
    """Create the stock item of a newly listed product, with no units on hand; do nothing if it exists."""
    with unit_of_work() as work:
        if work.find(StockItem, sku) is None:
            work.add(StockItem.open(sku))


def receive_stock(sku: Sku, quantity: int, reference: str = "", if_version: Collection[int] | None = None) -> StockItem:
    """Add received units to the stock of a SKU.

    Args:
        reference: names the receipt, such as a delivery note number. It counts once for a SKU; an empty one always.
        if_version: the versions of the stock item that the caller accepts; None accepts any.

    Returns:
        The changed stock item.

    Raises:
        NotFound: the SKU has no stock item.
        AlreadyReceived: the SKU was received under this reference before.
        QuantityOutOfBounds: the quantity is not from 1 to 1,000,000,000.
        StaleVersion: the stock item is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        item = work.get(StockItem, sku)
        item.expect_version(if_version)
        require_new_reference([sku], reference)
        item.receive(quantity, reference)
    return item


def stock_up(quantities: Sequence[tuple[Sku, int]], reference: str = "") -> None:
    """Receive several SKUs in one unit of work, creating missing stock items; raises `QuantityOutOfBounds`."""
    with unit_of_work() as work:
        items = work.get_many(StockItem, [sku for sku, _ in quantities])
        for sku, quantity in quantities:
            item = items.get(sku)
            if item is None:
                item = items[sku] = StockItem.open(sku)
                work.add(item)
            item.receive(quantity, reference)


def adjust_stock(sku: Sku, delta: int, reason: str, if_version: Collection[int] | None = None) -> StockItem:
    """Correct the units on hand of a SKU by `delta`, for example after a stock count.

    Args:
        delta: units to add; negative to remove.
        reason: why the stock differs.
        if_version: the versions of the stock item that the caller accepts; None accepts any.

    Returns:
        The changed stock item.

    Raises:
        NotFound: the SKU has no stock item.
        NothingAdjusted: `delta` is 0 or out of bounds.
        ReservedGoods: the correction would remove units that are reserved for orders.
        StaleVersion: the stock item is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        item = work.get(StockItem, sku)
        item.expect_version(if_version)
        item.adjust(delta, reason)
    return item


def count_stock(sku: Sku, counted: int, reason: str, shown: int) -> StockItem:
    """Correct the units on hand of a SKU to what was counted; do nothing if nothing differs.

    Args:
        counted: the units on hand, with those that are reserved and without those in quarantine.
        reason: which count it was.
        shown: the units that were on hand when they were counted.

    Returns:
        The stock item.

    Raises:
        NotFound: the SKU has no stock item.
        StockMoved: other units are on hand by now.
        ReservedGoods: fewer units were counted than are reserved for orders.
    """
    with unit_of_work() as work:
        item = work.get(StockItem, sku)
        if item.on_hand != shown:
            raise StockMoved(f"{item}: {shown} were on hand when they were counted, and {item.on_hand} are now")
        if counted != item.on_hand:
            item.adjust(counted - item.on_hand, reason)
    return item


def quarantine_stock(sku: Sku, quantity: int, reason: str, if_version: Collection[int] | None = None) -> StockItem:
    """Put available units of a SKU into quarantine, where nobody can buy them.

    Args:
        reason: why they must be looked at.
        if_version: the versions of the stock item that the caller accepts; None accepts any.

    Returns:
        The changed stock item.

    Raises:
        NotFound: the SKU has no stock item.
        QuantityOutOfBounds: the quantity is not from 1 to 1,000,000,000.
        NotThatMany: fewer units are available.
        StaleVersion: the stock item is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        item = work.get(StockItem, sku)
        item.expect_version(if_version)
        item.quarantine(quantity, reason)
    return item


def clear_stock(sku: Sku, quantity: int, reason: str, if_version: Collection[int] | None = None) -> StockItem:
    """Put units of a SKU that are in quarantine on sale again.

    Args, Returns:
        As for `quarantine_stock`; `reason` is the finding.

    Raises:
        NotFound, QuantityOutOfBounds, StaleVersion: as `quarantine_stock` does.
        NotInQuarantine: fewer units are in quarantine.
    """
    with unit_of_work() as work:
        item = work.get(StockItem, sku)
        item.expect_version(if_version)
        item.clear(quantity, reason)
    return item


def write_off_stock(sku: Sku, quantity: int, reason: str, if_version: Collection[int] | None = None) -> StockItem:
    """Remove units of a SKU that are in quarantine from the stock for good.

    Args, Returns, Raises:
        As for `clear_stock`.
    """
    with unit_of_work() as work:
        item = work.get(StockItem, sku)
        item.expect_version(if_version)
        item.write_off(quantity, reason)
    return item
