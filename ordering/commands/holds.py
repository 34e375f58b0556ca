"""Commands that hold the goods of an order back."""

from collections.abc import Collection

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import HoldId, OrderNumber
from ordering.models import HoldReason, Order


def hold_order(
    number: OrderNumber, reason: HoldReason, note: str = "", if_version: Collection[int] | None = None
) -> Order:
    """Place a hold on an order: nothing of it is dispatched once fulfillment has accepted the hold.

    Args:
        note: free text about the hold, stored with the request.
        if_version: the versions of the order that the caller accepts; None accepts any.

    Returns:
        The order, with its requested hold.

    Raises:
        NotFound: there is no such order.
        NotAllowed: all of the order is shipped or cancelled.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_version(if_version)
        order.hold(reason, note)
    return order


def lift_hold(number: OrderNumber, hold: HoldId, if_version: Collection[int] | None = None) -> Order:
    """End a hold; do nothing if it was lifted before.

    Args:
        if_version: the versions of the order that the caller accepts; None accepts any.

    Returns:
        The order.

    Raises:
        NotFound: there is no such order, or it has no such hold.
        HoldIsOver: the hold came too late.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_version(if_version)
        order.lift_hold(hold)
    return order


def settle_hold(number: OrderNumber, hold: HoldId, *, is_active: bool) -> None:
    """Record whether fulfillment holds the order, or has nothing of it left."""
    with unit_of_work() as work:
        work.get(Order, number).settle_hold(hold, is_active=is_active)
