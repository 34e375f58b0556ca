"""Fulfillment's queries: functions that read and change nothing."""

from fulfillment.models import Shipment
from integration.domain.errors import NotFound
from integration.domain.identifiers import ShipmentId


def shipment(id: ShipmentId) -> Shipment:
    """A shipment with its lines; raises `NotFound`."""
    found = Shipment.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no shipment {id}")
    Shipment.load_parts([found])
    return found
