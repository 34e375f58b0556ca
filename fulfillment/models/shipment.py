"""A shipment, one parcel of an order, and its state table."""

from collections.abc import Sequence
from typing import ClassVar, Self

import msgspec
from django.db import models
from django.db.models import Q

from fulfillment import events
from fulfillment.events import LineToPack
from fulfillment.models.shipment_states import ARRANGED, SHIPMENT_LIFE, ShipmentStatus
from fulfillment.models.tracking import InTransit
from integration.aggregates.aggregate import Part, applies
from integration.domain.address import Address
from integration.domain.errors import Refused, Unacceptable
from integration.domain.identifiers import CancellationId, OrderNumber, ShipmentId, Sku


class NotInShipment(Unacceptable):
    """The shipment has nothing of this SKU."""


class TooManyUnits(Refused):
    """The shipment has fewer units of this SKU."""


class Shipment(InTransit):
    """A parcel: some goods of one order, or all of them, on their way to its recipient.

    At most one shipment of an order is `arranged`: it has everything that has not left yet.
    """

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
    correction = models.IntegerField(default=0, db_default=0, editable=False)  # the last one of the address

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(status__in=["dispatched", "delivered"]) | ~Q(carrier=""),
                name="what_left_the_house_has_a_carrier",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["tracking_number"], name="tracked_shipments", condition=Q(is_tracked=True)),
            models.Index(
                fields=["tracking_number"],
                name="untracked_shipments",
                condition=Q(is_tracked=False) & ~Q(tracking_number=""),
            ),
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
    def packed(self) -> "list[ShipmentLine]":
        """The lines that have units; a line whose units all left in other parcels has none."""
        return [line for line in self.lines if line.quantity]

    def dispatch(
        self,
        carrier: str,
        tracking_number: str,
        lines: Sequence[tuple[Sku, int]] | None = None,
        *,
        is_tracked: bool = False,
    ) -> dict[Sku, int]:
        """Record that the carrier took these lines, or all. What it did not take is no longer in this shipment.

        Args:
            is_tracked: whether the carrier sends its scans by itself.

        Returns:
            The units that left, by SKU.

        Raises:
            NotAllowed: the shipment is not `arranged`.
            NotInShipment, TooManyUnits: the shipment has not all these lines.
        """
        if not self.accepts("dispatch"):
            return {}
        left = self.chosen(lines)
        self.record(
            events.ShipmentDispatched(
                **self._ids,
                carrier=carrier,
                tracking_number=tracking_number,
                quantities=left,
                is_tracked=is_tracked,
            )
        )
        return left

    def stop(self, reason: str) -> None:
        """Cancel the shipment, or record a refusal if the carrier has it already."""
        if not self.accepts("stop"):
            return
        if self.status == ARRANGED:
            self.record(events.ShipmentCancelled(**self._ids, reason=reason))
            self.drop_label()
        else:
            self.record(events.CancellationRefused(**self._ids))

    def correct_recipient(self, correction: int, recipient: Address) -> None:
        """Go to another address, or record a refusal if the shipment is not `arranged` any more.

        A label that is being bought has the earlier address, so it is not wanted any more.
        """
        if not self.accepts("correct_recipient"):
            return
        if self.status == ARRANGED:
            self.record(events.ShipmentRecipientCorrected(**self._ids, correction=correction, recipient=recipient))
            self.drop_label()
        else:
            self.record(events.RecipientCorrectionRefused(**self._ids, correction=correction))

    def take_out(self, cancellation: CancellationId, quantities: dict[Sku, int]) -> None:
        """Take goods that were stopped out of the shipment, which is cancelled if nothing is left in it.

        Raises:
            NotAllowed: the shipment is not `arranged`.
        """
        if self.accepts("take_out_all" if quantities == self.quantities else "take_out"):
            self.record(events.ShipmentLinesStopped(**self._ids, cancellation=cancellation, quantities=quantities))
            self.drop_label()

    def chosen(self, lines: Sequence[tuple[Sku, int]] | None) -> dict[Sku, int]:
        """The units that these lines name, by SKU; a SKU may be named twice. None names all.

        Raises:
            NotInShipment, TooManyUnits: the shipment has not all these lines.
        """
        if lines is None:
            return self.quantities
        own, named = self.quantities, dict[Sku, int]()
        for i, (sku, quantity) in enumerate(lines):
            self.require(sku in own, NotInShipment(f"{self} has no {sku}", pointer=f"/lines/{i}/sku"))
            named[sku] = named.get(sku, 0) + quantity
            self.require(named[sku] <= own[sku], TooManyUnits(f"{self} has only {own[sku]} × {sku}"))
        return named

    @property
    def address_lines(self) -> list[str]:
        """The recipient as a label shows them, one line each."""
        address = Address(**self.recipient)
        place = f"{address.postal_code} {address.city}".strip()
        return [line for line in (address.recipient, address.street, place, address.country) if line]

    def anonymize(self) -> None:
        """Remove the recipient's name and address except the country, because the recipient was erased."""
        if not self.is_anonymous:
            self.record(events.ShipmentAnonymized(**self._ids))

    @applies(events.ShipmentArranged)
    def _arranged(self, event: events.ShipmentArranged) -> None:
        self.id, self.order, self.recipient = event.shipment, event.order, msgspec.to_builtins(event.recipient)
        self.lines = [
            ShipmentLine.of(self, sku=line.sku, name=line.name, quantity=line.quantity) for line in event.lines
        ]

    @applies(events.ShipmentDispatched)
    def _dispatched(self, event: events.ShipmentDispatched) -> None:
        self.status = ShipmentStatus.DISPATCHED
        self.carrier, self.tracking_number, self.is_tracked = event.carrier, event.tracking_number, event.is_tracked
        for line in self.lines:
            left = event.quantities.get(Sku(line.sku), 0)
            if left != line.quantity:
                line.quantity = left
                self.touch(line)

    @applies(events.ShipmentCancelled)
    def _cancelled(self, event: events.ShipmentCancelled) -> None:
        self.status = ShipmentStatus.CANCELLED

    @applies(events.ShipmentLinesStopped)
    def _lines_stopped(self, event: events.ShipmentLinesStopped) -> None:
        for line in self.lines:
            if stopped := event.quantities.get(Sku(line.sku), 0):
                line.quantity -= stopped
                self.touch(line)
        if not self.packed:
            self.status = ShipmentStatus.CANCELLED

    @applies(events.CancellationRefused)
    def _cancellation_refused(self, event: events.CancellationRefused) -> None:
        """A refusal changes nothing in the shipment."""

    @applies(events.ShipmentRecipientCorrected)
    def _recipient_corrected(self, event: events.ShipmentRecipientCorrected) -> None:
        self.correction, self.recipient = event.correction, msgspec.to_builtins(event.recipient)

    @applies(events.RecipientCorrectionRefused)
    def _recipient_correction_refused(self, event: events.RecipientCorrectionRefused) -> None:
        self.correction = event.correction

    @applies(events.ShipmentAnonymized)
    def _anonymized(self, event: events.ShipmentAnonymized) -> None:
        self.recipient = msgspec.to_builtins(Address(**self.recipient).erased())


class ShipmentLine(Part):
    """One line of a shipment: a quantity of one SKU, zero once all units left in other parcels."""

    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["shipment", "sku"], name="one_shipment_line_a_sku"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"
