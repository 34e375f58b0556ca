"""What a dispute means for an order: nothing leaves until it ends, and nothing at all if it is lost."""

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import OrderNumber
from ordering.models import CancellationReason, Order, OrderStatus


def hold_disputed_order(number: OrderNumber, dispute: str) -> None:
    """Hold what has not left until a dispute ends; do nothing if it has ended, or if nothing is left."""
    with unit_of_work() as work:
        work.get(Order, number).hold_for_dispute(dispute)


def settle_dispute(number: OrderNumber, dispute: str, *, is_won: bool) -> None:
    """End the hold of a dispute that was won; request the cancellation of what has not left if it was lost.

    The cancellation brings the buyer no refund: the dispute has settled it.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        if is_won:
            order.end_dispute(dispute)
            return
        note = f"dispute {dispute} was lost"
        if order.status == OrderStatus.CONFIRMED and not order.cancellation_requested:
            order.cancel(CancellationReason.BY_OPERATOR, note)
        elif order.status == OrderStatus.PARTIALLY_SHIPPED and (units := order.units_to_cancel()):
            order.cancel_lines(units, CancellationReason.BY_OPERATOR, note)
