"""Updates the availability of a product whenever inventory publishes a new level of its stock."""

from collections.abc import Sequence

from integration import contracts
from integration.policies import whenever
from ordering import commands
from ordering.models import Availability


def lock_products(
    about: Sequence[
        contracts.inventory.StockRanLow | contracts.inventory.StockRanOut | contracts.inventory.StockReplenished
    ],
) -> None:
    """Lock the products of a whole batch at once, so that two batches never wait for each other."""
    commands.lock_products({event.sku for event in about})


@whenever(contracts.inventory.StockRanLow, name="ordering.show-low-stock", prepare=lock_products)
def show_low_stock(event: contracts.inventory.StockRanLow) -> None:
    commands.show_availability(event.sku, Availability.LOW_STOCK, event.sequence)


@whenever(contracts.inventory.StockRanOut, name="ordering.show-out-of-stock", prepare=lock_products)
def show_out_of_stock(event: contracts.inventory.StockRanOut) -> None:
    commands.show_availability(event.sku, Availability.OUT_OF_STOCK, event.sequence)


@whenever(contracts.inventory.StockReplenished, name="ordering.show-in-stock", prepare=lock_products)
def show_in_stock(event: contracts.inventory.StockReplenished) -> None:
    commands.show_availability(event.sku, Availability.IN_STOCK, event.sequence)
