"""Fulfillment's queries: functions that read and change nothing, and the read models of what has changed."""

from fulfillment.queries.returns import changed_returns, period_begins, return_, returns_to_lapse
from fulfillment.queries.shipments import changed_shipments, shipment, shipments_of

__all__ = [
    "changed_returns",
    "changed_shipments",
    "period_begins",
    "return_",
    "returns_to_lapse",
    "shipment",
    "shipments_of",
]
