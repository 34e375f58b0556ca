"""When the period of withdrawal of an order begins, by its history; and which refunds of withdrawals are overdue."""

from datetime import datetime

from integration.domain import clock
from integration.domain.identifiers import OrderNumber
from ordering.events import OrderDelivered, OrderShipped
from ordering.models import History, Order, ShipmentStatus

BEGINS_WITH = {
    ShipmentStatus.DISPATCHED.value: OrderShipped.wire_name,
    ShipmentStatus.DELIVERED.value: OrderDelivered.wire_name,
}
"""The event with which the period of a shipment begins, by its status.

The delivery of a shipment that stays dispatched is not reported, so its period begins with the dispatch.
"""
NEVER_ARRIVES = ("cancelled", "lost", "returned")


def withdrawal_begins(order: Order) -> datetime | None:
    """When the buyer had the last of the goods; None as long as some of them are in the warehouse or on the way.

    Directive 2011/83/EU, article 9(2)(b)(i): goods of one order that arrive separately have one period, which begins
    with the last of them. One statement.
    """
    coming = {each["id"]: each["status"] for each in order.shipments if each["status"] not in NEVER_ARRIVES}
    if any(line.open for line in order.lines) or any(status not in BEGINS_WITH for status in coming.values()):
        return None
    entries = History.objects.filter(
        stream=Order.stream, stream_id=OrderNumber(order.number), name__in=list(BEGINS_WITH.values())
    )
    moments = {(entry.data["shipment"], entry.name): entry.occurred_at for entry in entries}
    known = [moments[id, BEGINS_WITH[status]] for id, status in coming.items()]
    return max(known, default=None)


def orders_with_overdue_refunds(limit: int) -> list[OrderNumber]:
    """At most `limit` orders with a withdrawal whose refund is overdue and not noted, longest overdue first."""
    overdue = Order.objects.filter(refund_due_at__lte=clock.now())
    return [OrderNumber(number) for number in overdue.order_by("refund_due_at").values_list("pk", flat=True)[:limit]]
