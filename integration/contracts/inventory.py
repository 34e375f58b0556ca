"""The contracts that inventory publishes.

`sequence` counts the events of a stock item. Of two messages about a stock level, the one with the higher number is
newer.
"""

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent, contract
from integration.domain.identifiers import OrderNumber, Sku


class Shortage(Struct, frozen=True):
    """More of a SKU was requested than is available."""

    sku: Sku
    wanted: int
    available: int


@contract("inventory.stock-reserved")
class StockReserved(IntegrationEvent, kw_only=True):
    """All goods of the order are reserved."""

    order: OrderNumber


@contract("inventory.stock-reservation-failed")
class StockReservationFailed(IntegrationEvent, kw_only=True):
    """Not all goods of the order were available, so none were reserved."""

    order: OrderNumber
    shortages: tuple[Shortage, ...]


@contract("inventory.stock-ran-low")
class StockRanLow(IntegrationEvent, kw_only=True):
    """The available quantity of a SKU fell to its reorder point or below."""

    sku: Sku
    available: int
    sequence: int


@contract("inventory.stock-ran-out")
class StockRanOut(IntegrationEvent, kw_only=True):
    """A SKU is no longer available."""

    sku: Sku
    sequence: int


@contract("inventory.stock-replenished")
class StockReplenished(IntegrationEvent, kw_only=True):
    """The available quantity of a SKU is above its reorder point again."""

    sku: Sku
    available: int
    sequence: int
