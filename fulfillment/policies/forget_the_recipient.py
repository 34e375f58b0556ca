"""When a buyer is erased, fulfillment removes the recipients of their orders."""

from collections.abc import Sequence

from fulfillment import commands
from integration import contracts
from integration.policies import whenever


def lock_shipments(erased: Sequence[contracts.ordering.BuyerErased]) -> None:
    """Lock the shipments of a whole batch at once."""
    commands.lock_shipments([order for event in erased for order in event.orders])


@whenever(contracts.ordering.BuyerErased, name="fulfillment.forget-recipient", prepare=lock_shipments)
def forget_recipient(event: contracts.ordering.BuyerErased) -> None:
    commands.anonymize_shipments(event.orders)
