"""Fulfillment's commands: one function for each use case, each one unit of work.

`goods.py` says in which order they lock.
"""

from fulfillment.commands.erasing import anonymize_shipments
from fulfillment.commands.goods import goods_of, lock_goods, lock_shipments, next_shipment, shipment_of
from fulfillment.commands.parcels import arrange_shipment, deliver_shipment, dispatch_shipment, quantities_of
from fulfillment.commands.returns import (
    approve_return,
    lapse_return,
    lock_returns,
    open_approved_return,
    receive_return,
    refuse_return,
    request_return,
    return_approval,
    settle_return,
    shipping_withheld,
)
from fulfillment.commands.stops import hold_goods, lift_hold, stop_lines, stop_shipment

__all__ = [
    "anonymize_shipments",
    "approve_return",
    "arrange_shipment",
    "deliver_shipment",
    "dispatch_shipment",
    "goods_of",
    "hold_goods",
    "lapse_return",
    "lift_hold",
    "lock_goods",
    "lock_returns",
    "lock_shipments",
    "next_shipment",
    "open_approved_return",
    "quantities_of",
    "receive_return",
    "refuse_return",
    "request_return",
    "return_approval",
    "settle_return",
    "shipment_of",
    "shipping_withheld",
    "stop_lines",
    "stop_shipment",
]
