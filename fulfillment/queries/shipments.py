"""Fulfillment's queries: functions that read and change nothing, and the read model of what has changed."""

from collections.abc import Collection

from django.db.models import QuerySet

from fulfillment.models import Shipment, ShipmentChange
from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber, ShipmentId
from integration.read_models.batch import Batch, read_model
from integration.read_models.polled import changed, note_changes


def shipment(id: ShipmentId) -> Shipment:
    """A shipment with its lines; raises `NotFound`."""
    found = Shipment.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no shipment {id}")
    Shipment.load_parts([found])
    return found


def shipments_of(orders: Collection[OrderNumber]) -> list[ShipmentId]:
    """The identifiers of all shipments of some orders."""
    found = Shipment.objects.filter(order__in=orders).order_by("pk")
    return [ShipmentId(id) for id in found.values_list("pk", flat=True)]


def changed_shipments() -> QuerySet[Shipment]:
    """All shipments with `shown_at`, the moment of their last change in an order that misses none."""
    return changed(Shipment.objects.all(), ShipmentChange)


@read_model(ShipmentChange, stream=Shipment.stream)
def keep_changes(batch: Batch) -> None:
    note_changes(batch)
