"""What fulfillment holds on a buyer: the shipments and the returns of their orders."""

from collections.abc import Sequence
from typing import Any

from fulfillment.api.returns import ReturnOutput
from fulfillment.api.shipments import ShipmentOutput
from fulfillment.models import Return, Shipment
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.rest.export import exports


@exports("shipments")
def shipments(buyer: BuyerId, orders: Sequence[OrderNumber]) -> Any:
    found = list(Shipment.objects.filter(order__in=orders).order_by("created_at"))
    Shipment.load_parts(found)
    return ShipmentOutput(found, many=True).data


@exports("returns")
def returns(buyer: BuyerId, orders: Sequence[OrderNumber]) -> Any:
    found = list(Return.objects.filter(order__in=orders).order_by("created_at"))
    Return.load_parts(found)
    return ReturnOutput(found, many=True).data
