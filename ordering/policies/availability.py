"""Updates the availability of a product whenever inventory publishes a new level of its stock."""

from integration import contracts
from integration.policies import whenever
from ordering import commands
from ordering.models import Availability


@whenever(contracts.inventory.StockRanLow, name="ordering.show-low-stock")
def show_low_stock(event: contracts.inventory.StockRanLow) -> None:
    commands.show_availability(event.sku, Availability.LOW_STOCK, event.sequence)


@whenever(contracts.inventory.StockRanOut, name="ordering.show-out-of-stock")
def show_out_of_stock(event: contracts.inventory.StockRanOut) -> None:
    commands.show_availability(event.sku, Availability.OUT_OF_STOCK, event.sequence)


@whenever(contracts.inventory.StockReplenished, name="ordering.show-in-stock")
def show_in_stock(event: contracts.inventory.StockReplenished) -> None:
    commands.show_availability(event.sku, Availability.IN_STOCK, event.sequence)
