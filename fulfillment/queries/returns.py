"""Queries about returns, and the read model of those that have changed."""

from datetime import datetime

from django.db.models import F, QuerySet

from fulfillment.events import ShipmentDelivered, ShipmentDispatched
from fulfillment.models import History, Return, ReturnChange, Shipment, ShipmentStatus
from integration.domain import clock
from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber, ReturnId
from integration.read_models.batch import Batch, read_model
from integration.read_models.polled import changed, note_changes

BEGINS_WITH = {
    ShipmentStatus.DISPATCHED.value: ShipmentDispatched.wire_name,
    ShipmentStatus.DELIVERED.value: ShipmentDelivered.wire_name,
}
"""The event with which the period of a shipment begins, by its status.

The delivery of a shipment that stays `dispatched` is not reported, so its period begins with the dispatch.
"""
NEVER_ARRIVES = ("cancelled", "lost", "returned")


def return_(id: ReturnId, returns: QuerySet[Return] | None = None) -> Return:
    """A return with its lines, from `returns` or from all; raises `NotFound`."""
    found = (Return.objects.all() if returns is None else returns).filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no return {id}")
    Return.load_parts([found])
    return found


def period_begins(order: OrderNumber) -> datetime | None:
    """When the buyer had the last of an order's goods; None as long as some of them are in the warehouse or on the way.

    Two statements.
    """
    statuses = dict(Shipment.objects.filter(order=order).order_by().values_list("pk", "status"))
    coming = {id: status for id, status in statuses.items() if status not in NEVER_ARRIVES}
    if not coming or any(status not in BEGINS_WITH for status in coming.values()):
        return None
    events = History.objects.filter(
        stream=Shipment.stream, stream_id__in=list(coming), name__in=list(BEGINS_WITH.values())
    )
    moments = {(id, name): moment for id, name, moment in events.values_list("stream_id", "name", "occurred_at")}
    return max(moments[id, BEGINS_WITH[status]] for id, status in coming.items())


def returns_to_lapse(limit: int) -> list[ReturnId]:
    """At most `limit` returns of which something was to be sent by now and did not come, longest overdue first."""
    overdue = Return.objects.filter(status__in=["approved", "received"], send_by__lte=clock.now())
    expects = overdue.filter(
        line_rows__quantity__gt=F("line_rows__restocked")
        + F("line_rows__quarantined")
        + F("line_rows__written_off")
        + F("line_rows__missing")
        + F("line_rows__lapsed")
    )
    return [ReturnId(id) for id in expects.order_by("send_by", "pk").values_list("pk", flat=True).distinct()[:limit]]


def changed_returns() -> QuerySet[Return]:
    """All returns with `shown_at`, the moment of their last change in an order that misses none."""
    return changed(Return.objects.all(), ReturnChange)


@read_model(ReturnChange, stream=Return.stream)
def keep_changes_of_returns(batch: Batch) -> None:
    note_changes(batch)
