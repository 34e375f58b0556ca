"""Goods that arrive with a reference, such as a delivery note: a reference counts once for each SKU.

The stock item is locked when the history is asked, so two receipts of one reference cannot pass each other.
"""

from collections.abc import Collection, Mapping, Sequence

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import NotFound, Refused
from integration.domain.identifiers import Sku
from inventory.events import StockReceived
from inventory.models import History, StockItem


class AlreadyReceived(Refused):
    """These goods were received under this reference before, so nothing was added."""


def require_new_reference(skus: Collection[Sku], reference: str) -> None:
    """Refuse a reference under which one of these SKUs was received before; an empty one is no reference.

    Call it while the stock items are locked.

    Raises:
        AlreadyReceived: it names the SKUs.
    """
    if not reference:
        return
    facts = {"stream": StockItem.stream, "name": StockReceived.wire_name, "data__reference": reference}
    received = History.objects.filter(stream_id__in=skus, **facts).order_by()
    if again := sorted(set(received.values_list("stream_id", flat=True))):
        raise AlreadyReceived(f"{', '.join(again)} was received under {reference} before")


def receive_delivery(reference: str, quantities: Mapping[Sku, int]) -> Sequence[StockItem]:
    """Receive several SKUs that came with one delivery note: all of them, or none.

    Returns:
        The changed stock items, in the order of their SKUs.

    Raises:
        NotFound: a SKU has no stock item.
        AlreadyReceived: one of the SKUs was received under this reference before.
        QuantityOutOfBounds: a quantity is not from 1 to 1,000,000,000.
    """
    with unit_of_work() as work:
        items = work.get_many(StockItem, quantities)
        if unknown := sorted(quantities.keys() - items.keys()):
            raise NotFound(f"there is no stock item {', '.join(unknown)}")
        require_new_reference(quantities, reference)
        for sku, item in items.items():
            item.receive(quantities[Sku(sku)], reference)
    return [items[sku] for sku in sorted(items)]
