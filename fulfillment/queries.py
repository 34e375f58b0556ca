"""Fulfillment's queries: functions that read and change nothing, and the read model of what has changed."""

from collections.abc import Collection

from django.db.models import F, QuerySet
from django.db.models.expressions import RawSQL

from fulfillment.models import Shipment, ShipmentChange
from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber, ShipmentId
from integration.read_models.batch import Batch, read_model
from integration.read_models.catch_up import catch_up
from integration.read_models.models import of_live


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
    catch_up(ShipmentChange.read_model)
    live = RawSQL(of_live("id", ShipmentChange.read_model), ())  # noqa: S611 - names of the code only
    return Shipment.objects.filter(changes__build=live).annotate(shown_at=F("changes__shown_at"))


@read_model(ShipmentChange, stream=Shipment.stream)
def keep_changes(batch: Batch) -> None:
    rows = batch.load({(entry.stream_id,) for entry in batch.entries})
    for entry in batch.entries:
        rows[entry.stream_id,].shown_at = batch.shown_at(entry)
    batch.write(rows.values())
