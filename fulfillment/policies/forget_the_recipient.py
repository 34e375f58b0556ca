"""When a buyer is erased, fulfillment removes the recipients of their orders."""

from fulfillment import commands
from integration import contracts
from integration.policies import whenever


@whenever(contracts.ordering.BuyerErased, name="fulfillment.forget-recipient")
def forget_recipient(event: contracts.ordering.BuyerErased) -> None:
    commands.anonymize_shipments(event.orders)
