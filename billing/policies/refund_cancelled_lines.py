"""Lines of an order that are cancelled are refunded, or never charged if their money is only authorized."""

from collections.abc import Sequence

from billing import commands
from integration import contracts
from integration.policies import whenever


def lock_invoices(cancelled: Sequence[contracts.ordering.OrderLinesCancelled]) -> None:
    """Lock the invoices of a batch of events, before the first of them is handled."""
    commands.lock_invoices([event.order for event in cancelled])


@whenever(contracts.ordering.OrderLinesCancelled, name="billing.refund-cancelled-lines", prepare=lock_invoices)
def refund_cancelled_lines(event: contracts.ordering.OrderLinesCancelled) -> None:
    units = {line.sku: line.quantity for line in event.lines}
    commands.refund_units(
        event.order,
        event.cancellation,
        units,
        event.reason,
        shipping_withheld=event.shipping_withheld,
        has_left=False,
    )
