"""What can be asked of inventory; nothing here changes anything."""

from datetime import datetime

from django.db.models import F, QuerySet

from integration.aggregates import past
from integration.domain.errors import NotFound
from integration.domain.identifiers import Sku
from inventory.models import StockItem
from inventory.queries import levels  # noqa: F401 - it keeps a read model


def stock_item(sku: Sku) -> StockItem:
    """The stock of a sku; raises `NotFound`."""
    found = StockItem.objects.filter(pk=sku).first()
    if found is None:
        raise NotFound(f"there is no stock of {sku}")
    return found


def stock_item_as_of(sku: Sku, moment: datetime) -> StockItem:
    """The stock of a sku as it was at a moment; raises `NotFound` before there was any."""
    found = past.as_of(StockItem, sku, moment)
    if found is None:
        raise NotFound(f"there was no stock of {sku} at {moment.isoformat()}")
    return found


def running_low() -> QuerySet[StockItem]:
    """What should be reordered: no more available than the reorder point."""
    return StockItem.objects.filter(on_hand__lte=F("reserved") + F("reorder_point"))
