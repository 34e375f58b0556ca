"""Fulfillment's aggregates: a dispatched shipment is never cancelled, and each unit of an order leaves once."""

from fulfillment.models.fulfillment_order import FulfillmentLine, FulfillmentOrder, NothingLeft, OnHold
from fulfillment.models.history import History
from fulfillment.models.read_models import ReturnChange, ShipmentChange
from fulfillment.models.return_ import Return
from fulfillment.models.return_line import ReturnLine
from fulfillment.models.return_states import (
    RETURN_LIFE,
    Disposition,
    FeeNotAllowed,
    NotInReturn,
    NotThatManyExpected,
    ReturnStatus,
)
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
    "RETURN_LIFE",
    "SHIPMENT_LIFE",
    "Disposition",
    "FeeNotAllowed",
    "FulfillmentLine",
    "FulfillmentOrder",
    "History",
    "NotInReturn",
    "NotInShipment",
    "NotThatManyExpected",
    "NothingLeft",
    "OnHold",
    "Return",
    "ReturnChange",
    "ReturnLine",
    "ReturnStatus",
    "Shipment",
    "ShipmentChange",
    "ShipmentLine",
    "ShipmentStatus",
    "TooManyUnits",
]
