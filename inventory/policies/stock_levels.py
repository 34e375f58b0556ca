"""Publishes a contract whenever the available quantity of a SKU crosses the reorder point or zero."""

from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever
from inventory import events
from inventory.models import Level


@whenever(events.StockLevelChanged)
def publish_stock_level(event: events.StockLevelChanged) -> None:
    match Level(event.level):
        case Level.OUT:
            publish(contracts.inventory.StockRanOut(sku=event.sku, sequence=event.sequence))
        case Level.LOW:
            publish(contracts.inventory.StockRanLow(sku=event.sku, available=event.available, sequence=event.sequence))
        case Level.IN_STOCK:
            publish(
                contracts.inventory.StockReplenished(sku=event.sku, available=event.available, sequence=event.sequence)
            )
