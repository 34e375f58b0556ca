"""Publishes a contract when orders of a buyer are anonymized, so that other contexts anonymize theirs."""

from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever
from ordering import events


@whenever(events.BuyerErased)
def publish_buyer_erased(event: events.BuyerErased) -> None:
    if event.orders:
        publish(contracts.ordering.BuyerErased(buyer=event.buyer, orders=event.orders))
