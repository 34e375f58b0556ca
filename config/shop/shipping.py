"""Dispatches and delivers shipments at once, where no operator and no carrier do."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from fulfillment.commands import deliver_shipment, dispatch_shipment
from fulfillment.models import Shipment, ShipmentStatus
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.metadata import new_story
from integration.domain.states import NotAllowed
from integration.storage.outages import repeated_after_outages

CARRIER = "Demo Parcels"


@repeated_after_outages
def dispatch(
    tracking_numbers: Mapping[OrderNumber, str],
    actor: str,
    lines: Mapping[OrderNumber, Sequence[tuple[Sku, int]]] | None = None,
) -> None:
    """Dispatch every arranged shipment of the orders, with the order's tracking number, in the name of the actor.

    Args:
        lines: what leaves of an order, if not all; the rest is arranged as its next shipment.
    """
    for shipment in _shipments(tracking_numbers, ShipmentStatus.ARRANGED):
        # it may be cancelled, or an operator may be faster
        with suppress(NotAllowed), new_story(actor=actor):
            order = OrderNumber(shipment.order)
            some = lines.get(order) if lines else None
            dispatch_shipment(ShipmentId(shipment.pk), CARRIER, tracking_numbers[order], some)


@repeated_after_outages
def deliver(orders: Collection[OrderNumber], actor: str) -> None:
    """Deliver every dispatched shipment of the orders, in the name of the actor."""
    for shipment in _shipments(orders, ShipmentStatus.DISPATCHED):
        with suppress(NotAllowed), new_story(actor=actor):  # an operator may be faster
            deliver_shipment(ShipmentId(shipment.pk))


def _shipments(orders: Collection[OrderNumber], status: ShipmentStatus) -> list[Shipment]:
    return list(Shipment.objects.filter(order__in=list(orders), status=status).order_by("pk"))
