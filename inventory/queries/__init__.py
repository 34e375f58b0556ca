"""Inventory's queries: functions that read and change nothing. The other modules here maintain read models."""

from datetime import datetime

from django.db.models import F, QuerySet

from integration.aggregates import past
from integration.domain.errors import NotFound
from integration.domain.identifiers import Sku
from inventory.models import StockItem
from inventory.queries import levels  # noqa: F401 - registers its read model
from inventory.queries.movements import KINDS as KINDS
from inventory.queries.movements import Movement as Movement
from inventory.queries.movements import movements_of as movements_of
from inventory.queries.movements import with_balances as with_balances


def stock_item(sku: Sku) -> StockItem:
    """The stock item of a SKU; raises `NotFound`."""
    found = StockItem.objects.filter(pk=sku).first()
    if found is None:
        raise NotFound(f"there is no stock of {sku}")
    return found


def stock_item_as_of(sku: Sku, moment: datetime) -> StockItem:
    """The stock item of a SKU as of a moment; raises `NotFound` if it did not exist yet."""
    found = past.as_of(StockItem, sku, moment)
    if found is None:
        raise NotFound(f"there was no stock of {sku} at {moment.isoformat()}")
    return found


def running_low() -> QuerySet[StockItem]:
    """The stock items to reorder: those with no more available units than their reorder point."""
    return StockItem.objects.filter(on_hand__lte=F("reserved") + F("reorder_point"))
