"""Fulfillment's commands: one function for each use case, each one unit of work.

`goods.py` says in which order they lock.
"""

from fulfillment.commands.corrections import correct_recipient
from fulfillment.commands.erasing import anonymize_shipments
from fulfillment.commands.goods import goods_of, lock_goods, lock_shipments, next_shipment, shipment_of
from fulfillment.commands.labels import (
    SellsNoLabels,
    UnknownService,
    buy_label,
    cancel_label,
    play_sandbox_carrier,
    request_label,
    settle_label,
    shipments_to_label,
)
from fulfillment.commands.parcels import arrange_shipment, dispatch_shipment, quantities_of
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
from fulfillment.commands.tracking import (
    ImplausibleMoment,
    RecipientErased,
    close_task,
    deliver_shipment,
    fail_shipment,
    lose_shipment,
    note_scan,
    resolve_shipment,
    return_to_sender,
)
from fulfillment.commands.withdrawals import arrange_withdrawal

__all__ = [
    "ImplausibleMoment",
    "RecipientErased",
    "SellsNoLabels",
    "UnknownService",
    "anonymize_shipments",
    "approve_return",
    "arrange_shipment",
    "arrange_withdrawal",
    "buy_label",
    "cancel_label",
    "close_task",
    "correct_recipient",
    "deliver_shipment",
    "dispatch_shipment",
    "fail_shipment",
    "goods_of",
    "hold_goods",
    "lapse_return",
    "lift_hold",
    "lock_goods",
    "lock_returns",
    "lock_shipments",
    "lose_shipment",
    "next_shipment",
    "note_scan",
    "open_approved_return",
    "play_sandbox_carrier",
    "quantities_of",
    "receive_return",
    "refuse_return",
    "request_label",
    "request_return",
    "resolve_shipment",
    "return_approval",
    "return_to_sender",
    "settle_label",
    "settle_return",
    "shipment_of",
    "shipments_to_label",
    "shipping_withheld",
    "stop_lines",
    "stop_shipment",
]
