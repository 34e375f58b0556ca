"""Fulfillment's commands: one function for each use case, each one unit of work.

`goods.py` says in which order they lock.
"""

from fulfillment.commands.erasing import anonymize_shipments
from fulfillment.commands.goods import goods_of, lock_shipments, next_shipment, shipment_of
from fulfillment.commands.parcels import arrange_shipment, deliver_shipment, dispatch_shipment, quantities_of
from fulfillment.commands.stops import stop_shipment

__all__ = [
    "anonymize_shipments",
    "arrange_shipment",
    "deliver_shipment",
    "dispatch_shipment",
    "goods_of",
    "lock_shipments",
    "next_shipment",
    "quantities_of",
    "shipment_of",
    "stop_shipment",
]
