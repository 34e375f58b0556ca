"""The goods that are reserved for one order, and the state table of that reservation."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from integration.aggregates.aggregate import OfOneStory, Part, applies
from integration.contracts.inventory import Shortage
from integration.domain.identifiers import OrderNumber, ShipmentId
from integration.domain.states import IGNORE, NOT_YET, REFUSE, StateTable, by_state
from inventory import events
from inventory.events import ReservedLine


class ReservationStatus(models.TextChoices):
    """The state of a reservation."""

    HELD = "held"
    COMMITTED = "committed"
    SHIPPED = "shipped"
    RELEASED = "released"
    EXPIRED = "expired"
    REFUSED = "refused"


HELD, COMMITTED, SHIPPED, RELEASED, EXPIRED, REFUSED = (status.value for status in ReservationStatus)

_row = by_state(ReservationStatus)

RESERVATION_LIFE = StateTable(
    ReservationStatus,
    {
        # message        held       committed  shipped  released  expired  refused
        "commit":  _row(COMMITTED, IGNORE,    IGNORE,  IGNORE,   REFUSE,  REFUSE),
        "release": _row(RELEASED,  RELEASED,  REFUSE,  IGNORE,   IGNORE,  IGNORE),
        "expire":  _row(EXPIRED,   REFUSE,    REFUSE,  IGNORE,   IGNORE,  IGNORE),
        "ship":    _row(NOT_YET,   SHIPPED,   IGNORE,  REFUSE,   REFUSE,  REFUSE),
    },
)  # fmt: skip


class Reservation(OfOneStory):
    """The goods reserved for one order: all of them or none."""

    stream = "reservation"
    parts: ClassVar = {"lines": "line_rows"}
    life = RESERVATION_LIFE
    lines: "list[ReservationLine]"

    order = models.CharField(max_length=20, primary_key=True)
    status = models.CharField(max_length=10, choices=ReservationStatus, db_index=True)

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

    def commit(self) -> bool:
        """Reserve the goods until they are shipped, because the order is confirmed.

        Returns:
            Whether the reservation was held until now; False if the message is ignored.

        Raises:
            NotAllowed: the reservation is expired or refused.
        """
        return self._record_if_accepted("commit", events.ReservationCommitted(order=self._order))

    def release(self, reason: str) -> bool:
        """End the reservation because the order is cancelled.

        Returns:
            Whether the caller must free the goods now; False if the message is ignored.

        Raises:
            NotAllowed: the goods are shipped.
        """
        return self._record_if_accepted("release", events.ReservationReleased(order=self._order, reason=reason))

    def expire(self) -> bool:
        """End the reservation because the order was not paid in time.

        Returns:
            Whether the caller must free the goods now; False if the message is ignored.

        Raises:
            NotAllowed: the reservation is committed or shipped.
        """
        return self._record_if_accepted("expire", events.ReservationExpired(order=self._order))

    def ship(self, shipment: ShipmentId) -> bool:
        """End the reservation because its goods left the warehouse.

        Returns:
            Whether the caller must deduct the goods from the stock now; False if the message is ignored.

        Raises:
            NotYet: the reservation is not committed.
            NotAllowed: the reservation is released, expired or refused.
        """
        return self._record_if_accepted("ship", events.ReservationShipped(order=self._order, shipment=shipment))

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


class ReservationLine(Part):
    """A quantity of one SKU that is reserved for an order."""

    reservation = models.ForeignKey(Reservation, on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40, db_index=True)
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reservation", "sku"], name="one_reservation_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="reservation_line_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"
