"""Read models of sales per day and lifetime spend: sums over confirmed orders, minus those cancelled afterwards.

Refunds lower the lifetime spend, but not the sales of a day.
"""

from collections.abc import Collection
from datetime import UTC, date
from itertools import product

from integration.domain.money import Money
from integration.history.entries import HistoryEntry
from integration.history.personal_data import load_personal
from integration.read_models.batch import Batch, read_model
from integration.storage.reading import read
from ordering import events
from ordering.models import History, LifetimeSpend, Order, SalesOfDay

CONFIRMED_OR_CANCELLED = (events.OrderConfirmed, events.OrderCancelled)


@read_model(
    LifetimeSpend, stream=Order.stream, events=(*CONFIRMED_OR_CANCELLED, events.OrderRefunded, events.OrderClaimed)
)
def keep_lifetime_spend(batch: Batch) -> None:
    totals = batch.totals()
    for entry in batch.entries:
        match entry.event:
            case events.OrderConfirmed(buyer=buyer, paid=paid):
                totals.add(buyer, paid.currency, orders=1, spend_minor=paid.minor)
            case events.OrderCancelled(was_confirmed=True, buyer=buyer, lowers_spend_by=spend):
                totals.add(buyer, spend.currency, orders=-1, spend_minor=-spend.minor)
            case events.OrderRefunded(buyer=str(buyer), spend=Money() as spend) if spend:
                totals.add(buyer, spend.currency, orders=0, spend_minor=-spend.minor)
            case events.OrderClaimed(guest=guest, buyer=buyer, spend=Money() as spend):
                totals.add(guest, spend.currency, orders=-1, spend_minor=-spend.minor)
                totals.add(buyer, spend.currency, orders=1, spend_minor=spend.minor)
    totals.write()


@read_model(SalesOfDay, stream=Order.stream, events=CONFIRMED_OR_CANCELLED)
def keep_sales_per_day(batch: Batch) -> None:
    changes = [(entry.stream_id, sign) for entry in batch.entries if (sign := _sign(entry))]
    lines, days = _lines_and_days({order for order, _ in changes})
    totals = batch.totals()
    for order, sign in changes:
        for line in lines[order]:
            key = (days[order], line.sku, line.unit_price.currency)
            totals.add(*key, orders=sign, quantity=sign * line.quantity, amount_minor=sign * line.subtotal.minor)
    totals.write()


def _sign(entry: HistoryEntry) -> int:
    """1 if the event adds an order to the sums, -1 if it removes the order again, 0 if the order never counted."""
    match entry.event:
        case events.OrderConfirmed():
            return 1
        case events.OrderCancelled(was_confirmed=True):
            return -1
    return 0


def _lines_and_days(
    orders: Collection[str],
) -> tuple[dict[str, tuple[events.PlacedLine, ...]], dict[str, date]]:
    """By order, the lines and the day of confirmation; one query for the history, one for personal data."""
    facts = [*product(orders, [events.OrderPlaced.wire_name, events.OrderConfirmed.wire_name])]
    lines, days = {}, {}
    for entry in load_personal(read(History, ("stream_id", "name"), facts, stream=Order.stream)):
        match entry.event:
            case events.OrderPlaced(lines=placed):
                lines[entry.stream_id] = placed
            case events.OrderConfirmed():
                days[entry.stream_id] = entry.occurred_at.astimezone(UTC).date()
    return lines, days
