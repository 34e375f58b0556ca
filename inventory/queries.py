"""What can be asked of inventory; nothing here changes anything."""

from django.db.models import F, QuerySet

from integration.domain.errors import NotFound
from integration.domain.identifiers import Sku
from inventory.models import StockItem


def stock_item(sku: Sku) -> StockItem:
    """The stock of a sku; raises `NotFound`."""
    found = StockItem.objects.filter(pk=sku).first()
    if found is None:
        raise NotFound(f"there is no stock of {sku}")
    return found


def running_low() -> QuerySet[StockItem]:
    """What should be reordered: no more available than the reorder point."""
    return StockItem.objects.filter(on_hand__lte=F("reserved") + F("reorder_point"))
