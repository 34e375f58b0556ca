"""Read models of sales per day and lifetime spend: sums over confirmed orders, minus what was cancelled afterwards.

Refunds lower the lifetime spend. Cancelled units lower the sales of the day of their order, other refunds do not.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from itertools import product

from integration.domain.events import DomainEvent
from integration.domain.money import Money
from integration.history.personal_data import load_personal
from integration.read_models.batch import Batch, read_model
from integration.storage.reading import read
from ordering import events
from ordering.models import History, LifetimeSpend, Order, SalesOfDay

CONFIRMED_OR_CANCELLED = (events.OrderConfirmed, events.OrderCancelled)


@read_model(
    LifetimeSpend,
    stream=Order.stream,
    events=(*CONFIRMED_OR_CANCELLED, events.OrderRefunded, events.OrderAuthorizationChanged, events.OrderClaimed),
)
def keep_lifetime_spend(batch: Batch) -> None:
    totals = batch.totals()
    for entry in batch.entries:
        match entry.event:
            case events.OrderConfirmed(buyer=buyer, spend=spend):
                totals.add(buyer, spend.currency, orders=1, spend_minor=spend.minor)
            case events.OrderCancelled(was_confirmed=True, buyer=buyer, lowers_spend_by=spend):
                totals.add(buyer, spend.currency, orders=-1, spend_minor=-spend.minor)
            case events.OrderRefunded(buyer=str(buyer), spend=Money() as spend) if spend:
                totals.add(buyer, spend.currency, orders=0, spend_minor=-spend.minor)
            case events.OrderAuthorizationChanged(buyer=buyer, spend=spend) if spend:
                totals.add(buyer, spend.currency, orders=0, spend_minor=-spend.minor)
            case events.OrderClaimed(guest=guest, buyer=buyer, spend=Money() as spend):
                totals.add(guest, spend.currency, orders=-1, spend_minor=-spend.minor)
                totals.add(buyer, spend.currency, orders=1, spend_minor=spend.minor)
    totals.write()


CHANGES = (events.OrderConfirmed, events.OrderLinesCancelled, events.OrderCancelled)


@read_model(SalesOfDay, stream=Order.stream, events=CHANGES)
def keep_sales_per_day(batch: Batch) -> None:
    changed = [entry for entry in batch.entries if getattr(entry.event, "was_confirmed", True)]
    sold = _sold({entry.stream_id for entry in changed})
    totals = batch.totals()
    for entry in changed:
        order = sold[entry.stream_id]
        for line in order.lines:
            before, after = order.units(line, entry.version - 1), order.units(line, entry.version)
            if before != after:
                amount = line.unit_price * after - line.unit_price * before
                sums = {"quantity": after - before, "amount_minor": amount.minor}
                totals.add(order.day, line.sku, amount.currency, orders=(after > 0) - (before > 0), **sums)
    totals.write()


@dataclass
class _Sold:
    """What an order sold: its lines, the day of its confirmation, and by version what changed that."""

    lines: Sequence[events.PlacedLine] = ()
    day: date = date.min
    changes: list[tuple[int, DomainEvent]] = field(default_factory=list)

    def units(self, line: events.PlacedLine, version: int) -> int:
        """The units of a line that were sold in a version of the order: none before its confirmation."""
        sold = 0
        for changed_in, event in self.changes:
            if changed_in <= version:
                match event:
                    case events.OrderConfirmed():
                        sold = line.quantity
                    case events.OrderLinesCancelled(quantities=quantities):
                        sold -= quantities.get(line.sku, 0)
                    case events.OrderCancelled():
                        sold = 0
        return sold


def _sold(orders: Collection[str]) -> dict[str, _Sold]:
    """By order, what it sold; one query for the history, one for personal data."""
    facts = [*product(orders, [event.wire_name for event in (events.OrderPlaced, *CHANGES)])]
    found: dict[str, _Sold] = defaultdict(_Sold)
    for entry in load_personal(read(History, ("stream_id", "name"), facts, stream=Order.stream)):
        order, event = found[entry.stream_id], entry.event
        if isinstance(event, events.OrderPlaced):
            order.lines = event.lines
        else:
            order.changes.append((entry.version, event))
        if isinstance(event, events.OrderConfirmed):
            order.day = entry.occurred_at.astimezone(UTC).date()
    return found
