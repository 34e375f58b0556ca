"""The read model of stock per day: for each SKU and UTC day with movements, the closing stock and what moved."""

from datetime import UTC, date
from functools import singledispatch

from integration.domain.events import DomainEvent
from integration.read_models.batch import Batch, read_model
from inventory import events
from inventory.models import StockItem, StockOfDay


@read_model(StockOfDay, stream=StockItem.stream)
def keep_stock_per_day(batch: Batch) -> None:
    latest = {row.sku: row for row in batch.read("sku", {entry.stream_id for entry in batch.entries}, latest=True)}
    touched: dict[tuple[str, date], StockOfDay] = {}
    for entry in batch.entries:
        row = latest.get(entry.stream_id)
        if row and entry.version <= row.version:
            continue
        day = entry.occurred_at.astimezone(UTC).date()
        # The first movement of a later day closes a day. A movement with an earlier timestamp, from
        # a clock that is behind, counts into the open day.
        if row is None:
            row = batch.new(entry.stream_id, day)
        elif day > row.day:
            # Rows are written in the order of `touched`: the old day stops being the latest before the new day is.
            row.latest, touched[row.key_values] = False, row
            row = batch.new(row.sku, day, on_hand=row.on_hand, reserved=row.reserved, quarantined=row.quarantined)
        move(entry.event, row)
        row.version = entry.version
        latest[row.sku] = touched[row.key_values] = row
    batch.write(touched.values())


@singledispatch
def move(event: DomainEvent, row: StockOfDay) -> None:
    """Add a movement to a row; an event that is not registered below moves nothing."""


@move.register
def _(event: events.StockReceived, row: StockOfDay) -> None:
    row.on_hand += event.quantity
    row.received += event.quantity


@move.register
def _(event: events.StockAdjusted, row: StockOfDay) -> None:
    row.on_hand += event.delta
    row.adjusted += event.delta


@move.register
def _(event: events.StockSetAside, row: StockOfDay) -> None:
    row.reserved += event.quantity


@move.register
def _(event: events.StockFreed, row: StockOfDay) -> None:
    row.reserved -= event.quantity


@move.register
def _(event: events.StockShipped, row: StockOfDay) -> None:
    row.on_hand -= event.quantity
    row.reserved -= event.quantity
    row.shipped += event.quantity


@move.register
def _(event: events.StockQuarantined, row: StockOfDay) -> None:
    row.on_hand -= event.quantity
    row.quarantined += event.quantity


@move.register
def _(event: events.StockCleared, row: StockOfDay) -> None:
    row.quarantined -= event.quantity
    row.on_hand += event.quantity


@move.register
def _(event: events.StockWrittenOff, row: StockOfDay) -> None:
    row.quarantined -= event.quantity
    row.written_off += event.quantity


@move.register
def _(event: events.StockCameBack, row: StockOfDay) -> None:
    row.on_hand += event.quantity
    row.received += event.quantity


@move.register
def _(event: events.StockCameBackToQuarantine, row: StockOfDay) -> None:
    row.quarantined += event.quantity
