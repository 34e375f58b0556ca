"""Fulfillment's aggregate and its rules: a dispatched shipment is never cancelled, a cancelled one never dispatched."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import msgspec
from django.db import models
from django.db.models import Q

from fulfillment import events
from fulfillment.events import LineToPack
from integration.aggregates.aggregate import OfOneStory, Part, applies
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.states import IGNORE, REFUSE, STAY, StateTable, by_state
from integration.history.entries import HistoryEntry
from integration.read_models.models import PolledRow


class History(HistoryEntry):
    """One domain event of fulfillment."""


class ShipmentStatus(models.TextChoices):
    """The states of a shipment."""

    ARRANGED = "arranged"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


ARRANGED, DISPATCHED, DELIVERED, CANCELLED = (status.value for status in ShipmentStatus)


_row = by_state(ShipmentStatus)

SHIPMENT_LIFE = StateTable(
    ShipmentStatus,
    {
        # message        arranged    dispatched  delivered  cancelled
        "dispatch": _row(DISPATCHED, REFUSE,     REFUSE,    REFUSE),
        "deliver":  _row(REFUSE,     DELIVERED,  REFUSE,    REFUSE),
        "stop":     _row(CANCELLED,  STAY,       STAY,      IGNORE),
    },
)  # fmt: skip


class Shipment(OfOneStory):
    """The goods of one order, sent to its recipient."""

    stream = "shipment"
    parts: ClassVar = {"lines": "line_rows"}
    life = SHIPMENT_LIFE
    lines: "list[ShipmentLine]"

    id = models.CharField(max_length=24, primary_key=True)
    order = models.CharField(max_length=20, db_index=True)
    status = models.CharField(max_length=10, choices=ShipmentStatus, default=ShipmentStatus.ARRANGED, db_index=True)
    recipient = models.JSONField()
    carrier = models.CharField(max_length=80, blank=True)
    tracking_number = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(status__in=["dispatched", "delivered"]) | ~Q(carrier=""),
                name="what_left_the_house_has_a_carrier",
            )
        ]

    def __str__(self) -> str:
        return f"shipment {self.id}"

    @classmethod
    def arrange(cls, shipment: ShipmentId, order: OrderNumber, recipient: Address, lines: Sequence[LineToPack]) -> Self:
        """A new shipment, ready to be packed."""
        arranged = cls()
        arranged.record(
            events.ShipmentArranged(shipment=shipment, order=order, recipient=recipient, lines=tuple(lines))
        )
        return arranged

    @property
    def _ids(self) -> dict[str, Any]:
        return {"shipment": ShipmentId(self.id), "order": OrderNumber(self.order)}

    def dispatch(self, carrier: str, tracking_number: str) -> None:
        """Record that the carrier took the shipment; raises `NotAllowed` unless it is `arranged`."""
        if self.accepts("dispatch"):
            quantities = {Sku(line.sku): line.quantity for line in self.lines}
            self.record(
                events.ShipmentDispatched(
                    **self._ids, carrier=carrier, tracking_number=tracking_number, quantities=quantities
                )
            )

    def deliver(self) -> None:
        """Record that the recipient received the shipment; raises `NotAllowed` unless it is `dispatched`."""
        if self.accepts("deliver"):
            self.record(events.ShipmentDelivered(**self._ids))

    def stop(self, reason: str) -> None:
        """Cancel the shipment, or record a refusal if the carrier has it already."""
        if not self.accepts("stop"):
            return
        if self.status == ARRANGED:
            self.record(events.ShipmentCancelled(**self._ids, reason=reason))
        else:
            self.record(events.CancellationRefused(**self._ids))

    def anonymize(self) -> None:
        """Remove the recipient's name and address except the country, because the recipient was erased."""
        if self.recipient != self._erased_recipient:
            self.record(events.ShipmentAnonymized(**self._ids))

    @property
    def _erased_recipient(self) -> dict[str, str]:
        return msgspec.to_builtins(Address(**self.recipient).erased())

    @applies(events.ShipmentArranged)
    def _arranged(self, event: events.ShipmentArranged) -> None:
        self.id, self.order, self.recipient = event.shipment, event.order, msgspec.to_builtins(event.recipient)
        self.lines = [
            ShipmentLine.of(self, sku=line.sku, name=line.name, quantity=line.quantity) for line in event.lines
        ]

    @applies(events.ShipmentDispatched)
    def _dispatched(self, event: events.ShipmentDispatched) -> None:
        self.status = ShipmentStatus.DISPATCHED
        self.carrier, self.tracking_number = event.carrier, event.tracking_number

    @applies(events.ShipmentDelivered)
    def _delivered(self, event: events.ShipmentDelivered) -> None:
        self.status = ShipmentStatus.DELIVERED

    @applies(events.ShipmentCancelled)
    def _cancelled(self, event: events.ShipmentCancelled) -> None:
        self.status = ShipmentStatus.CANCELLED

    @applies(events.CancellationRefused)
    def _cancellation_refused(self, event: events.CancellationRefused) -> None:
        """A refusal changes nothing in the shipment."""

    @applies(events.ShipmentAnonymized)
    def _anonymized(self, event: events.ShipmentAnonymized) -> None:
        self.recipient = self._erased_recipient


class ShipmentChange(PolledRow):
    """The last change of a shipment, for clients that ask for what has changed."""

    read_model = "fulfillment.shipment-changes"
    key = ("shipment_id",)

    shipment = models.ForeignKey(
        Shipment, on_delete=models.DO_NOTHING, related_name="changes", db_constraint=False, db_index=False
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "shipment"], name="shipment_change_shown_once")
        ]
        indexes: ClassVar = [models.Index(fields=["build", "shown_at"], name="shipments_by_change")]

    def __str__(self) -> str:
        return f"change of {self.shipment_id}"


class ShipmentLine(Part):
    """One line of a shipment: a quantity of one SKU."""

    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["shipment", "sku"], name="one_shipment_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="shipment_line_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"
