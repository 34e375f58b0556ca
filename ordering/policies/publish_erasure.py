"""When a buyer is erased, the others are told whose orders hold nothing personal any more."""

from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever
from ordering import events


@whenever(events.BuyerErased)
def publish_buyer_erased(event: events.BuyerErased) -> None:
    if event.orders:
        publish(contracts.ordering.BuyerErased(event.buyer, event.orders))
