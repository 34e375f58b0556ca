"""Fulfillment's queries: functions that read and change nothing, and the read models of changes and of recipients."""

from collections.abc import Collection

from django.db.models import QuerySet

from fulfillment.events import ShipmentAnonymized, ShipmentArranged, ShipmentRecipientCorrected
from fulfillment.models import Shipment, ShipmentChange, ShipmentText
from integration.domain.address import ERASED
from integration.domain.errors import NotFound
from integration.domain.events import DomainEvent
from integration.domain.identifiers import OrderNumber, ShipmentId
from integration.read_models.batch import Batch, read_model
from integration.read_models.polled import changed, note_changes
from integration.read_models.texts import keep_texts, text_of


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


@read_model(
    ShipmentText, stream=Shipment.stream, events=[ShipmentArranged, ShipmentRecipientCorrected, ShipmentAnonymized]
)
def keep_recipients(batch: Batch) -> None:
    keep_texts(batch, {entry.stream_id: _words(entry.event) for entry in batch.entries})


def _words(event: DomainEvent) -> str:
    """The words that an event leaves; empty after erasing."""
    if not isinstance(event, ShipmentArranged | ShipmentRecipientCorrected) or event.recipient.recipient == ERASED:
        return ""
    return text_of(event.recipient.recipient, event.recipient.company)
