"""How long what is available lasts, at the rate of the last weeks: the *days of cover* of a stock item.

The rate is what left the warehouse, from the read model of stock per day. It takes two statements for any number of
stock items.
"""

from datetime import UTC, timedelta
from typing import NamedTuple

from django.db.models import F, Sum

from integration.domain import clock
from inventory.models import StockItem, StockOfDay
from inventory.queries import running_low

WEEKS = 4
DAYS = WEEKS * 7


class Cover(NamedTuple):
    """A stock item that runs short.

    Args:
        item: the stock item.
        shipped: how many units left the warehouse in the last `DAYS` days.
    """

    item: StockItem
    shipped: int

    @property
    def days(self) -> float | None:
        """For how many days the available units last; None if nothing left the warehouse lately."""
        return self.item.available * DAYS / self.shipped if self.shipped else None


def shortest_cover(most: int) -> list[Cover]:
    """The stock items to reorder, at most `most`: sold out ones first, then those with the fewest units."""
    items = list(running_low().annotate(left=F("on_hand") - F("reserved")).order_by("left", "sku")[:most])
    first_day = clock.now().astimezone(UTC).date() - timedelta(days=DAYS)
    rows = StockOfDay.objects.filter(sku__in=[item.sku for item in items], day__gt=first_day).order_by()
    shipped = dict(rows.values_list("sku").annotate(Sum("shipped"))) if items else {}
    return [Cover(item, shipped.get(item.sku, 0)) for item in items]
