"""Lines of an order that are cancelled are refunded, or never charged if their money is only authorized."""

from collections.abc import Sequence
from datetime import timedelta

from billing import commands
from integration import contracts
from integration.messaging.retries import Retries
from integration.policies import whenever


def lock_invoices(cancelled: Sequence[contracts.ordering.OrderLinesCancelled]) -> None:
    """Lock the invoices of a batch of events, before the first of them is handled."""
    commands.lock_invoices([event.order for event in cancelled])


AS_LONG_AS_A_CAPTURE = Retries(attempts=30, longest_wait=timedelta(minutes=10))
"""What is being captured cannot be refunded yet, and a provider may be away for hours."""


@whenever(
    contracts.ordering.OrderLinesCancelled,
    name="billing.refund-cancelled-lines",
    prepare=lock_invoices,
    retries=AS_LONG_AS_A_CAPTURE,
)
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
