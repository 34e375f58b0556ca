"""Checks for planted bugs about goods: what is held, what comes back, and how often it counts."""

from datetime import timedelta

from config.verification import verify
from fulfillment import commands as fulfillment
from fulfillment.commands.returns import NothingToReturn
from fulfillment.models import OnHold
from fulfillment.models.return_policy import ReturnReason
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, ReceiptId, Sku
from inventory import commands as inventory
from inventory.events import ReturnedLine
from inventory.models import StockItem
from ordering.commands import hold_order, withdraw
from ordering.models import HoldReason, Order
from ordering.policies.overdue_refunds import note_overdue_refunds
from tests.chaos.flows import TIMEOUT, drain
from tests.chaos.own_checks import _placed


def a_receipt_of_a_return_counts_once() -> str | None:
    """The message about a receipt of one unit arrives twice."""
    order = _sent()
    before = StockItem.objects.get(pk="MUG").on_hand
    for _ in range(2):
        inventory.take_back(order, ReceiptId(f"R{order[1:]}-1-1"), [ReturnedLine(Sku("MUG"), 1, "restock")])
    now = StockItem.objects.get(pk="MUG").on_hand
    return None if now == before + 1 else f"{now - before} units are on hand again, and 1 came back"


def no_unit_is_returned_twice() -> str | None:
    """The buyer of two units asks for a return of both, and then of one of them again."""
    order = _sent()
    fulfillment.request_return(order, [(Sku("MUG"), 2, ReturnReason.DAMAGED)])
    try:
        again = fulfillment.request_return(order, [(Sku("MUG"), 1, ReturnReason.DAMAGED)])
    except NothingToReturn:
        return None
    except Exception as error:
        return f"only the database refused it: {error!r}"
    return f"{again} has a unit of another return"


def what_is_on_hold_is_not_dispatched() -> str | None:
    """An operator holds an order back, and the warehouse dispatches it."""
    order = _placed()
    drain(timeout=TIMEOUT)
    hold_order(order, HoldReason.FRAUD_RISK)
    drain(timeout=TIMEOUT)
    try:
        sent = fulfillment.dispatch_shipment(fulfillment.shipment_of(order), "DHL", "1")
    except OnHold:
        return None
    return f"{sent} left on hold"


def an_overdue_refund_is_a_task() -> str | None:
    """The refund of a withdrawal is due, and the goods have not come."""
    order = _sent()
    withdraw(order)
    drain(timeout=TIMEOUT)
    with clock.moved(timedelta(days=15)):
        note_overdue_refunds()
        found = verify(["ordering.overdue"])["ordering.overdue_refunds_are_tasks"].complaints
    return found[0] if found else None if Order.objects.get(pk=order).needs_human else f"{order} is no task"


def _sent() -> OrderNumber:
    """An order of two mugs, which left."""
    order = _placed()
    drain(timeout=TIMEOUT)
    fulfillment.dispatch_shipment(fulfillment.shipment_of(order), "DHL", "1")
    drain(timeout=TIMEOUT)
    return order
