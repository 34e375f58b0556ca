"""Fulfillment's aggregates: a dispatched shipment is never cancelled, and each unit of an order leaves once."""

from fulfillment.models.fulfillment_order import FulfillmentLine, FulfillmentOrder, NothingLeft
from fulfillment.models.history import History
from fulfillment.models.read_models import ShipmentChange
from fulfillment.models.shipment import (
    GONE,
    MAX_LINES,
    MAX_QUANTITY,
    SHIPMENT_LIFE,
    NotInShipment,
    Shipment,
    ShipmentLine,
    ShipmentStatus,
    TooManyUnits,
)

__all__ = [
    "GONE",
    "MAX_LINES",
    "MAX_QUANTITY",
    "SHIPMENT_LIFE",
    "FulfillmentLine",
    "FulfillmentOrder",
    "History",
    "NotInShipment",
    "NothingLeft",
    "Shipment",
    "ShipmentChange",
    "ShipmentLine",
    "ShipmentStatus",
    "TooManyUnits",
]
