"""What inventory shows on the operators' first page: goods that run short, and goods in quarantine."""

from django.db.models import F, QuerySet
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from integration.admin.columns import link, list_url
from integration.admin.home import panel, work
from inventory.models import Level, StockItem
from inventory.queries.cover import DAYS, shortest_cover

MOST_SHOWN = 8


@work("Sold out", group="Stock", place=25, model=StockItem, query={"level": Level.OUT.value}, since="updated_at")
def sold_out() -> QuerySet[StockItem]:
    """Stock items without an available unit."""
    return StockItem.objects.filter(on_hand=F("reserved"))


@work("Low stock", group="Stock", place=26, model=StockItem, query={"level": Level.LOW.value}, since="updated_at")
def low_stock() -> QuerySet[StockItem]:
    """Stock items with no more available units than their reorder point."""
    low = F("reserved") + F("reorder_point")
    return StockItem.objects.filter(on_hand__gt=F("reserved"), on_hand__lte=low)


@work(
    "Goods in quarantine",
    group="Stock",
    place=27,
    model=StockItem,
    query={"quarantined__gt": 0},
    since="updated_at",
)
def goods_in_quarantine() -> QuerySet[StockItem]:
    """Stock items with units that somebody has to inspect."""
    return StockItem.objects.filter(quarantined__gt=0)


@panel("Stock that runs short", place=20, model=StockItem)
def cover_of_stock() -> SafeString:
    """The stock items to reorder, with the days for which they last."""
    covers = shortest_cover(MOST_SHOWN + 1)
    if not covers:
        return SafeString()
    facts = {
        "days": DAYS,
        "covers": [(cover, link(StockItem, cover.item.sku)) for cover in covers[:MOST_SHOWN]],
        "more": list_url(StockItem, {"level": Level.LOW.value}) if len(covers) > MOST_SHOWN else "",
    }
    return render_to_string("inventory/cover.html", facts)
