"""Dispatches and delivers shipments at once, where no operator and no carrier do."""

from collections.abc import Collection, Mapping

from fulfillment.commands import deliver_shipment, dispatch_shipment
from fulfillment.models import Shipment, ShipmentStatus
from integration.domain.identifiers import OrderNumber, ShipmentId
from integration.domain.states import NotAllowed
from integration.storage.outages import repeated_after_outages

CARRIER = "Demo Parcels"


@repeated_after_outages
def dispatch(tracking_numbers: Mapping[OrderNumber, str]) -> None:
    """Dispatch every arranged shipment of the orders, with the order's tracking number."""
    for shipment in _shipments(tracking_numbers, ShipmentStatus.ARRANGED):
        try:
            dispatch_shipment(ShipmentId(shipment.pk), CARRIER, tracking_numbers[OrderNumber(shipment.order)])
        except NotAllowed:  # it was cancelled, or an operator was faster
            continue


@repeated_after_outages
def deliver(orders: Collection[OrderNumber]) -> None:
    """Deliver every dispatched shipment of the orders."""
    for shipment in _shipments(orders, ShipmentStatus.DISPATCHED):
        try:
            deliver_shipment(ShipmentId(shipment.pk))
        except NotAllowed:  # an operator was faster
            continue


def _shipments(orders: Collection[OrderNumber], status: ShipmentStatus) -> list[Shipment]:
    return list(Shipment.objects.filter(order__in=list(orders), status=status).order_by("pk"))
