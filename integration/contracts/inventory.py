"""The contracts that inventory publishes.

`sequence` counts the events of a stock item. Of two messages about a stock level, the one with the higher number is
newer.
"""

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent, contract
from integration.domain.identifiers import OrderNumber, Sku


class Shortage(Struct, frozen=True):
    """More was wanted of a sku than there was."""

    sku: Sku
    wanted: int
    available: int


@contract("inventory.stock-reserved")
class StockReserved(IntegrationEvent):
    """All the goods of the order are set aside for it."""

    order: OrderNumber


@contract("inventory.stock-reservation-failed")
class StockReservationFailed(IntegrationEvent):
    """Not all the goods of the order were there, so none were set aside."""

    order: OrderNumber
    shortages: tuple[Shortage, ...]


@contract("inventory.stock-ran-low")
class StockRanLow(IntegrationEvent):
    """What is available of a sku fell to its reorder point or below."""

    sku: Sku
    available: int
    sequence: int


@contract("inventory.stock-ran-out")
class StockRanOut(IntegrationEvent):
    """Nothing of a sku is available any more."""

    sku: Sku
    sequence: int


@contract("inventory.stock-replenished")
class StockReplenished(IntegrationEvent):
    """There is again more available of a sku than its reorder point."""

    sku: Sku
    available: int
    sequence: int
