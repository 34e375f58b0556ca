"""What becomes of a shipment on its way: its scans, what an operator says, and the decision about what was lost."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from django.db import models
from msgspec import Struct

from fulfillment import events
from fulfillment.models.labels import WithLabel
from fulfillment.models.shipment_states import DELIVERED, GONE_WRONG, NAMES, SCANS, STORED, ShipmentStatus
from integration.aggregates.aggregate import applies
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import Refused
from integration.domain.identifiers import Sku

MAX_SCANS = 200
"""Many times what any parcel has. It bounds a column that is read and written as a whole."""

REFUND, SEND_AGAIN = RESOLUTIONS = ("refund", "send_again")


class AlreadyResolved(Refused):
    """It is decided already what becomes of the goods of this shipment."""


class TooManyScans(Refused):
    """The shipment has too many scans already."""


class NothingToClose(Refused):
    """Nothing was scanned after the decision about the shipment, or the task is closed."""


class Scan(Struct, frozen=True):
    """A report of where a shipment is.

    Args:
        id: the carrier's identifier of the report; empty for what an operator said.
        status: a word of `SCANS`.
        at: the carrier's time.
    """

    id: str
    status: str
    at: datetime

    @property
    def precedence(self) -> tuple[datetime, int]:
        """By time, then by rank. The scan with the highest precedence is the status."""
        return self.at, SCANS.index(self.status)


class InTransit(WithLabel):
    """The part of a shipment that is about its way.

    Most shipments have no scans: an operator says that they were delivered. `is_tracked` is whether a carrier sends
    its scans by itself.
    """

    status: Any

    scans = models.JSONField(null=True, editable=False)
    is_tracked = models.BooleanField(default=False, db_default=False, editable=False)
    lines: Any
    recipient: Any

    resolution = models.CharField(max_length=10, default="", db_default="", blank=True)
    scanned_too_late = models.BooleanField(default=False, db_default=False)

    class Meta:
        abstract = True

    accepted_by_operator: ClassVar[dict[str, str]] = {
        "deliver": "delivered",
        "fail": "delivery_failed",
        "return_to_sender": "returned_to_sender",
        "lose": "lost",
    }
    messages_of_scans: ClassVar[dict[str, str]] = {status: f"scan_{status}" for status in SCANS}

    @property
    def quantities(self) -> dict[Sku, int]:
        """The units of each SKU in the shipment."""
        return {Sku(line.sku): line.quantity for line in self.lines if line.quantity}

    @property
    def is_anonymous(self) -> bool:
        """Whether the recipient was erased."""
        return bool(self.recipient == msgspec.to_builtins(Address(**self.recipient).erased()))

    @property
    def all_scans(self) -> list[Scan]:
        """All scans, in the order in which they became known."""
        return msgspec.convert(self.scans or [], list[Scan])

    @property
    def needs_human(self) -> bool:
        """Whether a person has to decide: the goods are lost or came back, or were scanned after the decision."""
        return self.scanned_too_late or (self.status in GONE_WRONG and not self.resolution)

    def deliver(self, reason: str = "") -> None:
        """Record that the recipient received the shipment; raises `NotAllowed`, `AlreadyResolved`."""
        if self.is_tracked or self.scans:
            self._say("deliver", reason)
        elif self.accepts("deliver"):
            self.record(events.ShipmentDelivered(**self._ids))

    def fail(self, reason: str = "") -> None:
        """Record that the carrier could not deliver the shipment; raises `NotAllowed`, `AlreadyResolved`."""
        self._say("fail", reason)

    def return_to_sender(self, reason: str = "") -> None:
        """Record that the carrier brought the shipment back; raises `NotAllowed`, `AlreadyResolved`."""
        self._say("return_to_sender", reason)

    def lose(self, reason: str = "") -> None:
        """Record that the carrier lost the shipment; raises `NotAllowed`, `AlreadyResolved`."""
        self._say("lose", reason)

    def scan(self, id: str, status: str, at: datetime, note: str = "") -> None:
        """Record a scan of the carrier. Each counts once, and any order of arrival leads to the same status.

        A scan after the decision about the shipment changes nothing: it becomes a task.

        Raises:
            NotAllowed: the shipment has not left, or was cancelled.
            TooManyScans: it has `MAX_SCANS` scans.
        """
        if any(scan.id == id for scan in self.all_scans) or not self.accepts(self.messages_of_scans[status]):
            return
        self._add_scan(Scan(id, status, at), note)

    def resolve(self, resolution: str) -> None:
        """Decide what becomes of the goods of a shipment that is lost or came back.

        Args:
            resolution: a word of `RESOLUTIONS`.

        Raises:
            NotAllowed: the shipment is neither lost nor came back.
            AlreadyResolved: it is decided already.
        """
        if self.accepts("resolve"):
            self._require_unresolved()
            self.record(
                events.ShipmentResolved(
                    **self._ids, status=NAMES[self.status], resolution=resolution, quantities=self.quantities
                )
            )

    def close_task(self, note: str) -> None:
        """Record that a person has seen what was scanned after the decision; raises `NothingToClose`."""
        self.require(self.scanned_too_late, NothingToClose)
        sequence = 2 * len(self.all_scans) + 1
        self.record(events.ShipmentTaskClosed(**self._ids, note=self._storable(note), sequence=sequence))

    def _say(self, message: str, reason: str) -> None:
        """Record what an operator says. It counts as the newest scan, even if the carrier's clock is ahead of ours."""
        if self.accepts(message):
            self._require_unresolved()
            at = max([clock.now(), *(scan.at for scan in self.all_scans)])
            self._add_scan(Scan("", self.accepted_by_operator[message], at), reason)

    def _require_unresolved(self) -> None:
        self.require(not self.resolution, AlreadyResolved)

    def _add_scan(self, scan: Scan, note: str) -> None:
        self.require(len(self.scans or []) < MAX_SCANS, TooManyScans)
        self.record(
            events.ShipmentScanned(**self._ids, scan=scan.id, status=scan.status, at=scan.at, note=self._storable(note))
        )
        status = STORED[latest(self.all_scans)]
        if self.resolution:
            self.record(events.ShipmentScannedLate(**self._ids, status=scan.status, sequence=2 * len(self.all_scans)))
        elif status != self.status:
            self._change_status(status)

    def _storable(self, note: str) -> str:
        """The note; nothing once the recipient is erased, because it may name them."""
        return "" if self.is_anonymous else note

    def _change_status(self, status: str) -> None:
        ids = {**self._ids, "sequence": len(self.scans or [])}
        if status == DELIVERED:
            self.record(events.ShipmentDelivered(**ids))
        elif status == ShipmentStatus.LOST:
            self.record(events.ShipmentLost(**ids, quantities=self.quantities))
        elif status == ShipmentStatus.RETURNED_TO_SENDER:
            self.record(events.ShipmentReturnedToSender(**ids, quantities=self.quantities))
        else:
            self.record(events.ShipmentTracked(**ids, status=NAMES[status]))

    @applies(events.ShipmentDelivered)
    def _delivered(self, event: events.ShipmentDelivered) -> None:
        self.status = ShipmentStatus.DELIVERED

    @applies(events.ShipmentScanned)
    def _scanned(self, event: events.ShipmentScanned) -> None:
        scan = Scan(event.scan, event.status, event.at)
        self.scans = [*(self.scans or []), msgspec.to_builtins(scan)]

    @applies(events.ShipmentScannedLate)
    def _scanned_late(self, event: events.ShipmentScannedLate) -> None:
        self.scanned_too_late = True

    @applies(events.ShipmentTracked)
    def _tracked(self, event: events.ShipmentTracked) -> None:
        self.status = STORED[event.status]

    @applies(events.ShipmentLost)
    def _lost(self, event: events.ShipmentLost) -> None:
        self.status = ShipmentStatus.LOST

    @applies(events.ShipmentReturnedToSender)
    def _returned(self, event: events.ShipmentReturnedToSender) -> None:
        self.status = ShipmentStatus.RETURNED_TO_SENDER

    @applies(events.ShipmentResolved)
    def _resolved(self, event: events.ShipmentResolved) -> None:
        self.resolution = event.resolution

    @applies(events.ShipmentTaskClosed)
    def _task_closed(self, event: events.ShipmentTaskClosed) -> None:
        self.scanned_too_late = False


def latest(scans: Sequence[Scan]) -> str:
    """The status that these scans lead to: that of the latest by the carrier's time, then by rank."""
    return max(scans, key=lambda scan: scan.precedence).status
