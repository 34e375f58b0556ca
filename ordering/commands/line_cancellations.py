"""Commands that cancel some lines of an order."""

from collections.abc import Collection, Mapping, Sequence

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import BuyerId, CancellationId, OrderNumber, Sku
from ordering.models import CancellationReason, Order


def cancel_lines(
    number: OrderNumber,
    lines: Sequence[tuple[Sku, int]],
    reason: CancellationReason,
    note: str = "",
    if_version: Collection[int] | None = None,
    cancellation: CancellationId | None = None,
    *,
    of: BuyerId | None = None,
) -> Order:
    """Request the cancellation of some units of a confirmed order; fulfillment decides which it can still stop.

    Args:
        lines: SKUs and quantities; the quantities of a SKU that is named twice are added up.
        note: free text about the cancellation, stored with the request.
        if_version: the versions of the order that the caller accepts; None accepts any.
        cancellation: the identifier of the request, if it has another cause; None makes one.
        of: the buyer whose order it must be; None for an operator.

    Returns:
        The order, with its pending request.

    Raises:
        NotFound: there is no such order.
        NotAllowed: the order is not confirmed, or nothing of it is open.
        NotOrdered: the order has no line of a SKU.
        MoreThanOpen: fewer units of a SKU are open.
        CancellationUnderWay: the cancellation of the whole order is requested.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_buyer(of)
        order.expect_version(if_version)
        order.cancel_lines(lines, reason, note, cancellation)
    return order


def settle_lines_cancellation(number: OrderNumber, cancellation: CancellationId, stopped: Mapping[Sku, int]) -> None:
    """Cancel the units that fulfillment stopped, perhaps none; the last of an order cancel the order."""
    with unit_of_work() as work:
        work.get(Order, number).settle_lines_cancellation(cancellation, stopped)
