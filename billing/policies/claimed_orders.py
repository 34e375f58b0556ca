"""When a buyer takes over the order that they placed as a guest, its invoice becomes theirs, too."""

from collections.abc import Sequence

from billing import commands
from integration import contracts
from integration.policies import whenever


def lock_invoices(claimed: Sequence[contracts.ordering.OrderClaimed]) -> None:
    """Lock the invoices of a batch in key order."""
    commands.lock_invoices([event.order for event in claimed])


@whenever(contracts.ordering.OrderClaimed, name="billing.change-payer", prepare=lock_invoices)
def change_payer(event: contracts.ordering.OrderClaimed) -> None:
    commands.change_payer(event.order, event.buyer)
