"""The goods that are reserved for one order, and the state table of that reservation.

The goods leave in one or several shipments, and cancelled units become available again, in any order of arrival. Each
shipment and each cancellation counts once. The last of them ends the reservation.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from django.db import models

from integration.aggregates.aggregate import OfOneStory, applies
from integration.contracts.inventory import Shortage
from integration.domain.errors import NotYet, Refused
from integration.domain.events import DomainEvent
from integration.domain.identifiers import CancellationId, OrderNumber, ReceiptId, ShipmentId, Sku
from integration.domain.states import IGNORE, NOT_YET, REFUSE, STAY, StateTable, by_state
from inventory import events
from inventory.events import ReservedLine, ReturnedLine
from inventory.models.reservation_line import ReservationLine


class ReservationStatus(models.TextChoices):
    """The state of a reservation."""

    HELD = "held"
    COMMITTED = "committed"
    SHIPPED = "shipped"
    RELEASED = "released"
    EXPIRED = "expired"
    REFUSED = "refused"


HELD, COMMITTED, SHIPPED, RELEASED, EXPIRED, REFUSED = (status.value for status in ReservationStatus)

RESTOCK, QUARANTINE, WRITE_OFF = "restock", "quarantine", "write_off"
"""What becomes of a unit that came back."""

_row = by_state(ReservationStatus)

RESERVATION_LIFE = StateTable(
    ReservationStatus,
    {
        # message                held       committed  shipped  released  expired  refused
        "commit":          _row(COMMITTED, IGNORE,    IGNORE,  IGNORE,   REFUSE,  REFUSE),
        "release":         _row(RELEASED,  RELEASED,  REFUSE,  IGNORE,   IGNORE,  IGNORE),
        "expire":          _row(EXPIRED,   REFUSE,    REFUSE,  IGNORE,   IGNORE,  IGNORE),
        "ship":            _row(NOT_YET,   SHIPPED,   IGNORE,  REFUSE,   REFUSE,  REFUSE),
        "ship_in_part":    _row(NOT_YET,   STAY,      IGNORE,  REFUSE,   REFUSE,  REFUSE),
        "release_in_part": _row(NOT_YET,   STAY,      IGNORE,  IGNORE,   REFUSE,  REFUSE),
        "release_rest":    _row(NOT_YET,   SHIPPED,   IGNORE,  IGNORE,   REFUSE,  REFUSE),
        "take_back":       _row(NOT_YET,   STAY,      STAY,    STAY,     REFUSE,  REFUSE),
    },
)  # fmt: skip


class NotReserved(Refused):
    """Fewer units are still reserved for the order than are to leave."""


class Reservation(OfOneStory):
    """The goods reserved for one order: all of them or none.

    `counted` has the shipments in which a part of the goods left, the cancellations of a part of them, and the receipts
    with which goods came back.
    """

    stream = "reservation"
    parts: ClassVar = {"lines": "line_rows"}
    life = RESERVATION_LIFE
    lines: "list[ReservationLine]"

    order = models.CharField(max_length=20, primary_key=True)
    status = models.CharField(max_length=10, choices=ReservationStatus, db_index=True)
    counted = models.JSONField(default=list, db_default=[], editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"reservation for {self.order}"

    @classmethod
    def hold(cls, order: OrderNumber, lines: Sequence[ReservedLine]) -> Self:
        """A new reservation of all goods of an order; the caller has checked that they are available."""
        reservation = cls()
        reservation.record(events.GoodsReserved(order=order, lines=tuple(lines)))
        return reservation

    @classmethod
    def refuse(cls, order: OrderNumber, lines: Sequence[ReservedLine], shortages: Sequence[Shortage]) -> Self:
        """A new, refused reservation of an order whose goods are short.

        The refusal is stored like any reservation, so that it stays the decision when goods come in later.
        """
        reservation = cls()
        reservation.record(events.ReservationRefused(order=order, lines=tuple(lines), shortages=tuple(shortages)))
        return reservation

    @property
    def _order(self) -> OrderNumber:
        return OrderNumber(self.order)

    @property
    def open_lines(self) -> list[ReservedLine]:
        """What is still reserved; nothing once the reservation has ended."""
        if self.status not in (HELD, COMMITTED):
            return []
        return [ReservedLine(Sku(line.sku), line.left) for line in self.lines if line.left]

    def commit(self) -> bool:
        """Reserve the goods until they are shipped, because the order is confirmed.

        Returns:
            Whether the reservation was held until now; False if the message is ignored.

        Raises:
            NotAllowed: the reservation is expired or refused.
        """
        return self._record_if_accepted("commit", events.ReservationCommitted(order=self._order))

    def release(self, reason: str) -> Sequence[ReservedLine]:
        """End the reservation because the order is cancelled.

        Returns:
            What the caller must free now: all that is still reserved. Nothing if the message is ignored.

        Raises:
            NotAllowed: the goods are shipped.
        """
        left, event = self.open_lines, events.ReservationReleased(order=self._order, reason=reason)
        return left if self._record_if_accepted("release", event) else []

    def expire(self) -> Sequence[ReservedLine]:
        """End the reservation because the order was not paid in time.

        Returns:
            What the caller must free now; nothing if the message is ignored.

        Raises:
            NotAllowed: the reservation is committed or shipped.
        """
        left = self.open_lines
        return left if self._record_if_accepted("expire", events.ReservationExpired(order=self._order)) else []

    def ship(self, shipment: ShipmentId, lines: Sequence[ReservedLine]) -> Sequence[ReservedLine]:
        """Note that goods left the warehouse in a shipment; the last of them end the reservation.

        Returns:
            What the caller must deduct from the stock now; nothing if this shipment counted before.

        Raises:
            NotYet: the reservation is not committed.
            NotAllowed: the reservation is released, expired or refused.
            NotReserved: the shipment has more of a SKU than is still reserved.
        """
        if shipment in self.counted:
            return []
        left = {line.sku: line.quantity for line in self.open_lines}
        if left == {line.sku: line.quantity for line in lines}:
            shipped: DomainEvent = events.ReservationShipped(order=self._order, shipment=shipment)
            return lines if self._record_if_accepted("ship", shipped) else []
        if not self.accepts("ship_in_part"):
            return []
        self.require(all(line.quantity <= left.get(line.sku, 0) for line in lines), NotReserved)
        self.record(events.ReservationShippedInPart(order=self._order, shipment=shipment, lines=tuple(lines)))
        return lines

    def take_back(self, receipt: ReceiptId, lines: Sequence[ReturnedLine]) -> Sequence[ReturnedLine]:
        """Note that goods came back with a return.

        Returns:
            What the caller must add to the stock now; nothing if this receipt counted before.

        Raises:
            NotYet: more came back than has left so far.
            NotAllowed: the reservation is expired or refused.
        """
        if receipt in self.counted or not self.accepts("take_back"):
            return []
        gone = {
            line.sku: line.quantity - line.released if self.status == SHIPPED else line.shipped for line in self.lines
        }
        for line in lines:
            gone[line.sku] = gone.get(line.sku, 0) - line.quantity
        self.require(min(gone.values()) >= 0, NotYet(f"{receipt} has more than has left for {self.order}"))
        self.record(events.ReservedGoodsCameBack(order=self._order, receipt=receipt, lines=tuple(lines)))
        return lines

    def release_units(self, cancellation: CancellationId, lines: Sequence[ReservedLine]) -> Sequence[ReservedLine]:
        """Release units that were cancelled; the last of what is reserved ends the reservation.

        Returns:
            What the caller must free now; nothing if this cancellation counted before, or if the reservation has ended.

        Raises:
            NotYet: the reservation is not committed.
            NotAllowed: the reservation is expired or refused.
            NotReserved: fewer units are still reserved.
        """
        if cancellation in self.counted:
            return []
        left = {line.sku: line.quantity for line in self.open_lines}
        is_rest = left == {line.sku: line.quantity for line in lines}
        rest = "release_rest" if any(line.shipped for line in self.lines) else "release"
        message = rest if is_rest else "release_in_part"
        if not self.accepts(message):
            return []
        self.require(all(line.quantity <= left.get(line.sku, 0) for line in lines), NotReserved)
        released = events.ReservationReleasedInPart(order=self._order, cancellation=cancellation, lines=tuple(lines))
        self.record(released)
        return lines

    def _record_if_accepted(self, message: str, event: Any) -> bool:
        accepted = self.accepts(message)
        if accepted:
            self.record(event)
        return accepted

    @applies(events.GoodsReserved)
    def _reserved(self, event: events.GoodsReserved) -> None:
        self._begin(event, ReservationStatus.HELD)

    @applies(events.ReservationRefused)
    def _refused(self, event: events.ReservationRefused) -> None:
        self._begin(event, ReservationStatus.REFUSED)

    def _begin(self, event: events.GoodsReserved | events.ReservationRefused, status: ReservationStatus) -> None:
        self.order, self.status = event.order, status
        self.lines = [ReservationLine.of(self, sku=line.sku, quantity=line.quantity) for line in event.lines]

    @applies(events.ReservationCommitted)
    def _committed(self, event: events.ReservationCommitted) -> None:
        self.status = ReservationStatus.COMMITTED

    @applies(events.ReservationReleased)
    def _released(self, event: events.ReservationReleased) -> None:
        self.status = ReservationStatus.RELEASED

    @applies(events.ReservationExpired)
    def _expired(self, event: events.ReservationExpired) -> None:
        self.status = ReservationStatus.EXPIRED

    @applies(events.ReservationShipped)
    def _shipped(self, event: events.ReservationShipped) -> None:
        self.status = ReservationStatus.SHIPPED

    @applies(events.ReservationShippedInPart)
    def _shipped_in_part(self, event: events.ReservationShippedInPart) -> None:
        quantities = {line.sku: line.quantity for line in event.lines}
        for line in self.lines:
            if quantity := quantities.get(Sku(line.sku)):
                line.shipped += quantity
                self.touch(line)
        self.counted = [*self.counted, event.shipment]

    @applies(events.ReservedGoodsCameBack)
    def _came_back(self, event: events.ReservedGoodsCameBack) -> None:
        self.counted = [*self.counted, event.receipt]

    @applies(events.ReservationReleasedInPart)
    def _released_in_part(self, event: events.ReservationReleasedInPart) -> None:
        quantities = {line.sku: line.quantity for line in event.lines}
        for line in self.lines:
            if quantity := quantities.get(Sku(line.sku)):
                line.released += quantity
                self.touch(line)
        self.counted = [*self.counted, event.cancellation]
        if not any(line.left for line in self.lines):
            was_shipped = any(line.shipped for line in self.lines)
            self.status = ReservationStatus.SHIPPED if was_shipped else ReservationStatus.RELEASED
