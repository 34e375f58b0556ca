"""A disputed order does not leave. If the dispute is won, it does; if it is lost, what has not left is cancelled."""

from collections.abc import Sequence

from integration import contracts
from integration.policies import whenever
from ordering import commands


def lock_orders(disputed: Sequence[contracts.billing.DisputeOpened | contracts.billing.DisputeClosed]) -> None:
    """Lock the orders of a batch of events in key order."""
    commands.lock_orders([event.order for event in disputed])


@whenever(contracts.billing.DisputeOpened, name="ordering.hold-disputed-order", prepare=lock_orders)
def hold_disputed_order(event: contracts.billing.DisputeOpened) -> None:
    commands.hold_disputed_order(event.order, event.dispute)


@whenever(contracts.billing.DisputeClosed, name="ordering.settle-dispute", prepare=lock_orders)
def settle_dispute(event: contracts.billing.DisputeClosed) -> None:
    commands.settle_dispute(event.order, event.dispute, is_won=event.is_won)
