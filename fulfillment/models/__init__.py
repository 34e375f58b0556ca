"""Fulfillment's aggregates: a dispatched shipment is never cancelled, and each unit of an order leaves once."""

from fulfillment.models.fulfillment_order import FulfillmentLine, FulfillmentOrder, NothingLeft, OnHold
from fulfillment.models.history import History
from fulfillment.models.labels import Label, LabelUnderWay
from fulfillment.models.read_models import ReturnChange, ShipmentChange, ShipmentText
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
    NotInShipment,
    Shipment,
    ShipmentLine,
    TooManyUnits,
)
from fulfillment.models.shipment_states import GONE, NAMES, SCANS, SHIPMENT_LIFE, STORED, ShipmentStatus
from fulfillment.models.tracking import REFUND, RESOLUTIONS, SEND_AGAIN, AlreadyResolved, NothingToClose, TooManyScans

__all__ = [
    "GONE",
    "NAMES",
    "REFUND",
    "RESOLUTIONS",
    "RETURN_LIFE",
    "SCANS",
    "SEND_AGAIN",
    "SHIPMENT_LIFE",
    "STORED",
    "AlreadyResolved",
    "Disposition",
    "FeeNotAllowed",
    "FulfillmentLine",
    "FulfillmentOrder",
    "History",
    "Label",
    "LabelUnderWay",
    "NotInReturn",
    "NotInShipment",
    "NotThatManyExpected",
    "NothingLeft",
    "NothingToClose",
    "OnHold",
    "Return",
    "ReturnChange",
    "ReturnLine",
    "ReturnStatus",
    "Shipment",
    "ShipmentChange",
    "ShipmentLine",
    "ShipmentStatus",
    "ShipmentText",
    "TooManyScans",
    "TooManyUnits",
]
