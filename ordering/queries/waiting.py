"""What an order waits for: pure functions of an order, or of its row on the order board."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from ordering.models import CONFIRMED_STATES, HoldStatus, OrderStatus, RequestStatus, ShipmentStatus
from ordering.models.order_corrections import REQUESTED
from ordering.models.order_shipments import UNDER_WAY, is_unresolved


class Waiting(NamedTuple):
    """Something that an order waits for.

    Args:
        what: who is to do what, as the end of a sentence that begins with "waiting for".
        until: when the shop acts by itself, or when it is due; None without a deadline.
        needs_person: whether somebody of the shop has to act.
    """

    what: str
    until: datetime | None = None
    needs_person: bool = False


def waiting_for(order: Any) -> list[Waiting]:
    """All that an order waits for, the first step first; empty if nothing is left to do."""
    return [*_payment(order), *_requests(order), *_shipments(order), *_returns(order), *_money(order)]


def _payment(order: Any) -> Iterator[Waiting]:
    until = getattr(order, "payment_due_at", None)  # a row of the order board has no deadline
    if order.status == OrderStatus.PENDING:
        yield Waiting("inventory to reserve the goods", until)
    elif order.status == OrderStatus.PAYMENT_PENDING:
        if order.needs_action:
            yield Waiting("the buyer to confirm the payment at their bank", until)
        elif getattr(order, "payment_asked", False):
            yield Waiting("the payment provider to say whether the money came")
        elif order.payment_progress:
            yield Waiting("the buyer's money, which takes days", until)
        else:
            yield Waiting("the payment", until)


def _requests(order: Any) -> Iterator[Waiting]:
    if getattr(order, "cancellation_requested", False):
        yield Waiting("fulfillment to say whether the shipment can be stopped")
    if getattr(order, "correction_status", "") == REQUESTED:
        yield Waiting("fulfillment to say whether the corrected address came in time")
    for cancellation in order.cancellations:
        if cancellation["status"] == RequestStatus.REQUESTED:
            yield Waiting(f"fulfillment to stop the lines of {cancellation['id']}")
    for hold in order.open_holds:
        if dispute := hold.get("dispute"):
            yield Waiting(f"the end of dispute {dispute}, which holds the goods")
        elif hold["status"] == HoldStatus.REQUESTED and order.status in CONFIRMED_STATES:
            yield Waiting(f"fulfillment to accept hold {hold['id']}")
        else:
            reason = hold["reason"].replace("_", " ")
            yield Waiting(f"somebody to lift hold {hold['id']} ({reason})", needs_person=True)


def _shipments(order: Any) -> Iterator[Waiting]:
    if order.status == OrderStatus.CONFIRMED and not order.shipments:
        yield Waiting("fulfillment to arrange the shipment")
    for shipment in order.shipments:
        id, status = shipment["id"], shipment["status"]
        if status == ShipmentStatus.ARRANGED and not order.open_holds:
            yield Waiting(f"the warehouse to dispatch shipment {id}", needs_person=True)
        elif status in UNDER_WAY:
            yield Waiting(f"the carrier to deliver shipment {id}")
        elif is_unresolved(shipment):
            what_happened = "is lost" if status == ShipmentStatus.LOST else "came back"
            yield Waiting(f"a decision about shipment {id}, which {what_happened}", needs_person=True)
        if shipment.get("is_scanned_late"):
            yield Waiting(f"somebody to look at shipment {id}, scanned after the decision", needs_person=True)
    if order.replaces and order.status == OrderStatus.CANCELLED:
        yield Waiting(f"a decision about the goods of order {order.replaces}, to be sent again", needs_person=True)


def _returns(order: Any) -> Iterator[Waiting]:
    for each in order.returns:
        if each["status"] == "requested":
            yield Waiting(f"a decision about return {each['id']}", needs_person=True)
        elif each["status"] in ("approved", "received"):
            yield Waiting(f"goods of return {each['id']}")


def _money(order: Any) -> Iterator[Waiting]:
    if order.status == OrderStatus.CANCELLED and order.refunded < order.paid:
        yield Waiting(f"the refund of {order.paid - order.refunded}")
    for withdrawal in order.withdrawals:
        if withdrawal["status"] == "declared":
            id, overdue = withdrawal["id"], order.has_overdue_refund
            yield Waiting(f"the refund of withdrawal {id}", withdrawal["refund_due_at"], needs_person=overdue)
