"""Commands by which an order learns what comes back of it."""

from collections.abc import Collection, Mapping

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, ReceiptId, ReturnId, Sku, WithdrawalId
from ordering.models import Order


def note_return(number: OrderNumber, return_: ReturnId, status: str) -> None:
    """Record the status of a return of an order; an earlier status than the known one is ignored."""
    with unit_of_work() as work:
        work.get(Order, number).note_return(return_, status)


def mark_returned(number: OrderNumber, return_: ReturnId, receipt: ReceiptId, quantities: Mapping[Sku, int]) -> None:
    """Record that units of an order came back; a receipt counts once."""
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.note_return(return_, "received")
        if quantities:
            order.mark_returned(return_, receipt, quantities)


def arrange_withdrawal(number: OrderNumber, withdrawal: WithdrawalId, return_: ReturnId | None) -> None:
    """Record that fulfillment stopped what it could of a withdrawal, and which return has the rest."""
    with unit_of_work() as work:
        work.get(Order, number).arrange_withdrawal(withdrawal, return_)


def note_overdue_refund(number: OrderNumber) -> None:
    """Make the refunds of an order's withdrawals that were due, and wait for goods, a person's task."""
    with unit_of_work() as work:
        work.get(Order, number).note_overdue_refund(clock.now())


def withdrawals_of(number: OrderNumber) -> Collection[str]:
    """The identifiers of the withdrawals from an order."""
    with unit_of_work() as work:
        return work.get(Order, number).withdrawal_facts or {}
