"""The ledger of a stock item: each movement, with the quantities that it left.

The ledger is read from the history, so it costs no table. The index on an event's stream and version serves a page. The
quantities result from applying the events of the page to the stock item as it was before the first of them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from msgspec import Struct

from integration.aggregates import past
from integration.domain.events import DomainEvent
from integration.domain.identifiers import Sku
from integration.history.personal_data import load_personal
from inventory import events
from inventory.models import History, StockItem

KINDS: dict[type[DomainEvent], str] = {
    events.StockReceived: "received",
    events.StockAdjusted: "adjusted",
    events.StockSetAside: "reserved",
    events.StockFreed: "released",
    events.StockShipped: "shipped",
    events.StockQuarantined: "quarantined",
    events.StockCleared: "cleared",
    events.StockWrittenOff: "written_off",
    events.StockCameBack: "came_back",
    events.StockCameBackToQuarantine: "came_back_to_quarantine",
}
"""The kind of movement that each event is."""


class Movement(Struct, frozen=True):
    """One movement of a stock item.

    Args:
        kind: one of `KINDS`.
        quantity: how many units moved; negative only for an adjustment that removed units.
        on_hand, reserved, quarantined: the units after the movement.
        reference: the order, the receipt's reference, or the reason.
        by: who caused it, such as `user:12` or `system`.
        at: when.
    """

    kind: str
    quantity: int
    on_hand: int
    reserved: int
    quarantined: int
    reference: str
    by: str
    at: datetime


def movements_of(sku: Sku) -> QuerySet[History]:
    """The events of a stock item that are movements, in no order."""
    names = [event.wire_name for event in KINDS]
    return History.objects.filter(stream=StockItem.stream, stream_id=sku, name__in=names)


def with_balances(sku: Sku, page: Sequence[History]) -> list[Movement]:
    """Return consecutive movements of a stock item as a ledger shows them, in the order of `page`.

    The number of statements is constant.
    """
    if not page:
        return []
    oldest_first = sorted(page, key=lambda entry: entry.version)
    item = past.at_version(StockItem, sku, oldest_first[0].version - 1) or StockItem()
    ledger: dict[int, Movement] = {}
    for entry in load_personal(oldest_first):
        item.apply_entry(entry)
        ledger[entry.version] = _movement(entry, item)
    return [ledger[entry.version] for entry in page]


def _movement(entry: History, item: StockItem) -> Movement:
    event: Any = entry.event
    return Movement(
        kind=KINDS[type(event)],
        quantity=event.delta if isinstance(event, events.StockAdjusted) else event.quantity,
        on_hand=item.on_hand,
        reserved=item.reserved,
        quarantined=item.quarantined,
        reference=_reference(event),
        by=entry.actor,
        at=entry.occurred_at,
    )


def _reference(event: Any) -> str:
    if isinstance(event, events.StockReceived):
        return event.reference
    if isinstance(event, (events.StockCameBack, events.StockCameBackToQuarantine)):
        return event.receipt
    return str(event.order if hasattr(event, "order") else event.reason)
