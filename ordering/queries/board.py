"""The order board: a read model with every order in one row. It only shows orders; rules use the aggregate."""

from functools import singledispatch

import msgspec

from integration.domain.address import Address
from integration.domain.events import DomainEvent
from integration.history.entries import HistoryEntry
from integration.read_models.batch import Batch, read_model
from ordering import events
from ordering.models import HoldStatus, Order, OrderBoard, OrderStatus, ShipmentStatus, payment_status_of
from ordering.models.order_prices import amounts_of
from ordering.models.order_returns import show_withdrawn
from ordering.models.order_shipments import (
    delivered_status,
    is_open,
    resolved_status,
    returned_status,
    shipment_status_of,
    shipped_status,
    with_arranged,
    with_delivered,
    with_dispatched,
    with_facts,
    with_status,
    with_tracked,
    without_the_empty,
)
from ordering.models.order_tracking import needs_human


@read_model(OrderBoard, stream=Order.stream)
def keep_board(batch: Batch) -> None:
    rows = batch.load({(entry.stream_id,) for entry in batch.entries})
    for entry in batch.entries:
        row = rows[entry.stream_id,]
        if entry.version > row.version:
            show(entry.event, row)
            _stamp(row, entry)
            row.shown_at = batch.shown_at(entry)
    batch.write(rows.values())


def _stamp(row: OrderBoard, entry: HistoryEntry) -> None:
    if entry.version == 1:
        row.created_at, row.correlation_id = entry.occurred_at, entry.correlation_id
    row.version, row.updated_at = entry.version, entry.occurred_at
    row.payment_status, row.shipment_status = payment_status_of(row), shipment_status_of(row.shipments)
    row.on_hold = bool(row.open_holds)
    row.needs_human = needs_human(row.shipments, row.replaces, row.status) or row.has_overdue_refund


@singledispatch
def show(event: DomainEvent, row: OrderBoard) -> None:
    """Apply an event to a row; for an event that is not registered below, only version and time change."""


@show.register
def _(event: events.OrderPlaced, row: OrderBoard) -> None:
    row.buyer, row.payment_method, row.replaces = event.buyer, event.payment_method, event.replaces or ""
    row.set_prices(event)
    row.shipping_address = msgspec.to_builtins(event.shipping_address)
    row.line_facts = [
        {
            "sku": line.sku,
            "name": line.name,
            "quantity": line.quantity,
            "shipped": 0,
            "unit_price": line.unit_price.minor,
            **({} if row.price_details is None else amounts_of(line)),
        }
        for line in event.lines
    ]


@show.register
def _(event: events.OrderGoodsReserved, row: OrderBoard) -> None:
    row.status = OrderStatus.PAYMENT_PENDING


@show.register
def _(event: events.OrderPaymentAwaited, row: OrderBoard) -> None:
    row.show_awaited(event)


@show.register
def _(event: events.OrderPaymentDeclined, row: OrderBoard) -> None:
    row.show_declined(event)


@show.register
def _(event: events.OrderPaymentRetried, row: OrderBoard) -> None:
    row.show_retried(event)
    row.payment_method = event.payment_method


@show.register
def _(event: events.OrderConfirmed, row: OrderBoard) -> None:
    row.status, row.paid = OrderStatus.CONFIRMED, event.paid
    row.authorized_minor = event.authorized.minor if event.authorized else None


@show.register
def _(event: events.OrderAuthorizationChanged, row: OrderBoard) -> None:
    row.authorized_minor, row.paid = event.authorized.minor, event.paid


@show.register
def _(event: events.OrderPaidTooLate, row: OrderBoard) -> None:
    row.paid = event.paid


@show.register
def _(event: events.OrderCancelled, row: OrderBoard) -> None:
    row.status, row.cancellation_reason = OrderStatus.CANCELLED, event.reason
    row.shipments = with_status(row.shipments, ShipmentStatus.CANCELLED)
    row.end_requests()


@show.register
def _(event: events.OrderShipmentArranged, row: OrderBoard) -> None:
    has_nothing = row.line_cancellations is not None and not is_open(row.shown_lines)
    is_cancelled = row.status == OrderStatus.CANCELLED or has_nothing
    row.shipments = with_arranged(row.shipments, event, is_cancelled=is_cancelled)


@show.register
def _(event: events.OrderShipped, row: OrderBoard) -> None:
    row.shipments = with_dispatched(row.shipments, event, row.shown_lines)
    for line in row.line_facts:
        line["shipped"] += event.quantities.get(line["sku"], 0)
    row.shipments = without_the_empty(row.shipments, row.shown_lines)
    row.status = shipped_status(row.shown_lines)


@show.register
def _(event: events.OrderDelivered, row: OrderBoard) -> None:
    row.shipments = with_delivered(row.shipments, event)
    row.status = delivered_status(row.status, row.shipments)


@show.register
def _(event: events.OrderLinesCancellationRequested, row: OrderBoard) -> None:
    row.show_request(event)


@show.register
def _(event: events.OrderLinesCancelled, row: OrderBoard) -> None:
    row.show_cancelled(event)
    for line in row.line_facts:
        if units := event.quantities.get(line["sku"], 0):
            line["cancelled"] = line.get("cancelled", 0) + units
    row.shipments = without_the_empty(row.shipments, row.shown_lines)
    if any(line["shipped"] for line in row.line_facts):
        row.status = resolved_status(shipped_status(row.shown_lines), row.shipments, row.shown_lines)


@show.register
def _(event: events.OrderLinesCancellationRefused, row: OrderBoard) -> None:
    row.show_refused(event)


@show.register
def _(event: events.OrderHeld, row: OrderBoard) -> None:
    row.show_held(event)


@show.register
def _(event: events.OrderHoldActive, row: OrderBoard) -> None:
    row.show_hold(event.hold, HoldStatus.ACTIVE)


@show.register
def _(event: events.OrderHoldTooLate, row: OrderBoard) -> None:
    row.show_hold(event.hold, HoldStatus.TOO_LATE)


@show.register
def _(event: events.OrderHoldLifted, row: OrderBoard) -> None:
    row.show_hold(event.hold, HoldStatus.LIFTED)


@show.register
def _(event: events.OrderShipmentTracked, row: OrderBoard) -> None:
    row.shipments = with_tracked(row.shipments, event)
    row.status = delivered_status(row.status, row.shipments)


@show.register
def _(event: events.OrderShipmentResolved, row: OrderBoard) -> None:
    row.shipments = with_facts(row.shipments, event.shipment, resolution=event.resolution)
    for line in row.line_facts:
        if event.lost.get(line["sku"], 0):
            line["lost"] = line.get("lost", 0) + event.lost[line["sku"]]
    row.status = resolved_status(row.status, row.shipments, row.shown_lines)


@show.register
def _(event: events.OrderReplaced, row: OrderBoard) -> None:
    row.shipments = with_facts(row.shipments, event.shipment, replaced_by=event.replacement)


@show.register
def _(event: events.OrderShipmentScannedLate, row: OrderBoard) -> None:
    late = {"late_sequence": event.sequence, "is_scanned_late": event.is_open}
    row.shipments = with_facts(row.shipments, event.shipment, **late)


@show.register
def _(event: events.OrderReturnChanged, row: OrderBoard) -> None:
    row.show_return(event.return_, status=event.status)


@show.register
def _(event: events.OrderGoodsReturned, row: OrderBoard) -> None:
    row.show_return(event.return_, receipt=event.receipt)
    for line in row.line_facts:
        if units := event.quantities.get(line["sku"], 0):
            line["returned"] = line.get("returned", 0) + units
    row.status = returned_status(row.status, row.shown_lines)


@show.register
def _(event: events.OrderWithdrawn, row: OrderBoard) -> None:
    show_withdrawn(row, event)


@show.register
def _(event: events.OrderWithdrawalArranged, row: OrderBoard) -> None:
    row.show_withdrawal(event.withdrawal, arranged=True, **{"return": event.return_})


@show.register
def _(event: events.OrderWithdrawalSettled, row: OrderBoard) -> None:
    row.show_withdrawal(event.withdrawal, settled=True)


@show.register
def _(event: events.OrderRefundOverdue, row: OrderBoard) -> None:
    row.show_withdrawal(event.withdrawal, overdue=True)


@show.register
def _(event: events.OrderRefunded, row: OrderBoard) -> None:
    row.refunded = event.refunded


@show.register
def _(event: events.OrderAddressCorrected, row: OrderBoard) -> None:
    row.shipping_address = msgspec.to_builtins(event.shipping_address)


@show.register
def _(event: events.OrderClaimed, row: OrderBoard) -> None:
    row.buyer = event.buyer


@show.register
def _(event: events.OrderAnonymized, row: OrderBoard) -> None:
    row.shipping_address = msgspec.to_builtins(Address(**row.shipping_address).erased())
    row.payment_method = ""
