"""What the search box finds in inventory: stock items and reservations."""

from django.db.models import Q

from integration.admin.search import Term, newest, searches
from inventory.models import Reservation, StockItem


@searches(StockItem, facts=lambda item: (f"{item.on_hand} on hand, {item.available} available",))
def stock_items(term: Term) -> list[StockItem]:
    """A stock item by its SKU."""
    return newest(StockItem, Q(pk__in=term.names))


@searches(Reservation, facts=lambda reservation: (reservation.get_status_display(),), names=())
def reservations(term: Term) -> list[Reservation]:
    """The reservation for an order."""
    return newest(Reservation, Q(pk=term.order))
