"""Inventory's aggregates and their rules: nothing is promised that is not there, and no movement goes unrecorded."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q

from integration.aggregates.aggregate import Aggregate, OfOneStory, Part, applies
from integration.contracts.inventory import Shortage
from integration.domain.errors import Refused, Unacceptable
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.states import IGNORE, NOT_YET, REFUSE, StateTable, by_state
from integration.history.entries import HistoryEntry
from integration.read_models.models import Row
from inventory import events
from inventory.events import ReservedLine

MAX_QUANTITY = 1_000_000_000


class QuantityOutOfBounds(Unacceptable):
    """A quantity is a whole number from 1 to 1,000,000,000."""


class NothingAdjusted(Unacceptable):
    """An adjustment is a whole number other than 0, of at most 1,000,000,000 either way."""


class ReservedGoods(Refused):
    """That would take goods away that are set aside for orders."""


class NotThatMany(Refused):
    """There are not that many."""


class History(HistoryEntry):
    """Every domain event of inventory."""


class Level(models.TextChoices):
    """How much is available, roughly."""

    IN_STOCK = "in_stock"
    LOW = "low"
    OUT = "out"


class StockItem(Aggregate):
    """How many of one sku lie on the shelf, and how many of those are set aside."""

    stream = "stock_item"
    DEFAULT_REORDER_POINT = 5

    sku = models.CharField(max_length=40, primary_key=True)
    on_hand = models.PositiveBigIntegerField(default=0)
    reserved = models.PositiveBigIntegerField(default=0)
    reorder_point = models.PositiveIntegerField(default=DEFAULT_REORDER_POINT)

    class Meta:
        ordering: ClassVar = ["sku"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(reserved__gte=0, reserved__lte=F("on_hand")), name="reserved_at_most_on_hand"
            )
        ]

    def __str__(self) -> str:
        return f"stock of {self.sku}"

    @classmethod
    def open(cls, sku: Sku, reorder_point: int = DEFAULT_REORDER_POINT) -> Self:
        """A place on the shelf, with nothing there yet."""
        item = cls()
        item.record(events.StockItemOpened(sku, reorder_point))
        return item

    @property
    def available(self) -> int:
        """What can be promised to the next order."""
        return self.on_hand - self.reserved

    @property
    def level(self) -> Level:
        """How much is available, roughly."""
        if self.available == 0:
            return Level.OUT
        return Level.LOW if self.available <= self.reorder_point else Level.IN_STOCK

    def receive(self, quantity: int, reference: str) -> None:
        """Goods came in; raises `QuantityOutOfBounds`."""
        self.require(1 <= quantity <= MAX_QUANTITY, QuantityOutOfBounds(pointer="/quantity"))
        self._move(events.StockReceived(quantity, reference))

    def adjust(self, delta: int, reason: str) -> None:
        """Somebody counted; raises `NothingAdjusted`, or `ReservedGoods` if it would take those away."""
        self.require(delta != 0 and abs(delta) <= MAX_QUANTITY, NothingAdjusted(pointer="/delta"))
        self.require(self.available + delta >= 0, ReservedGoods)
        self._move(events.StockAdjusted(delta, reason))

    def set_aside(self, order: OrderNumber, quantity: int) -> None:
        """Promise goods to an order; raises `NotThatMany`."""
        self.require(quantity <= self.available, NotThatMany)
        self._move(events.StockSetAside(order, quantity))

    def free(self, order: OrderNumber, quantity: int) -> None:
        """Take a promise back."""
        self._move(events.StockFreed(order, quantity))

    def ship(self, order: OrderNumber, quantity: int) -> None:
        """Promised goods left the house."""
        self._move(events.StockShipped(order, quantity))

    def _move(self, movement: Any) -> None:
        before = self.level
        self.record(movement)
        if self.level != before:
            # This event's own number: the levels a stock item tells are heard in any order.
            sequence = self.version + 1
            self.record(events.StockLevelChanged(Sku(self.sku), self.level.value, self.available, sequence))

    @applies(events.StockItemOpened)
    def _opened(self, event: events.StockItemOpened) -> None:
        self.sku, self.reorder_point = event.sku, event.reorder_point

    @applies(events.StockReceived)
    def _received(self, event: events.StockReceived) -> None:
        self.on_hand += event.quantity

    @applies(events.StockAdjusted)
    def _adjusted(self, event: events.StockAdjusted) -> None:
        self.on_hand += event.delta

    @applies(events.StockSetAside)
    def _set_aside(self, event: events.StockSetAside) -> None:
        self.reserved += event.quantity

    @applies(events.StockFreed)
    def _freed(self, event: events.StockFreed) -> None:
        self.reserved -= event.quantity

    @applies(events.StockShipped)
    def _shipped(self, event: events.StockShipped) -> None:
        self.on_hand -= event.quantity
        self.reserved -= event.quantity

    @applies(events.StockLevelChanged)
    def _level_changed(self, event: events.StockLevelChanged) -> None:
        """The level follows from the quantities; the event only tells that it changed."""


class ReservationStatus(models.TextChoices):
    """How far a reservation has come."""

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
    """The goods set aside for one order: all of them or none."""

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
        """All the goods are there."""
        reservation = cls()
        reservation.record(events.GoodsReserved(order, tuple(lines)))
        return reservation

    @classmethod
    def refuse(cls, order: OrderNumber, lines: Sequence[ReservedLine], shortages: Sequence[Shortage]) -> Self:
        """Not all the goods are there: also an answer, and kept as one."""
        reservation = cls()
        reservation.record(events.ReservationRefused(order, tuple(lines), tuple(shortages)))
        return reservation

    @property
    def _order(self) -> OrderNumber:
        return OrderNumber(self.order)

    def commit(self) -> bool:
        """The order is confirmed: its goods stay set aside until they are shipped."""
        return self._record_if_accepted("commit", events.ReservationCommitted(self._order))

    def release(self, reason: str) -> bool:
        """The order is cancelled. Returns whether its goods are to be freed now."""
        return self._record_if_accepted("release", events.ReservationReleased(self._order, reason))

    def expire(self) -> bool:
        """The order's money did not come in time. Returns whether its goods are to be freed now."""
        return self._record_if_accepted("expire", events.ReservationExpired(self._order))

    def ship(self, shipment: ShipmentId) -> bool:
        """The goods left the house. Returns whether they are to be taken off the shelf now."""
        return self._record_if_accepted("ship", events.ReservationShipped(self._order, shipment))

    def _record_if_accepted(self, message: str, event: Any) -> bool:
        accepted = self.accepts(message)
        if accepted:
            self.record(event)
        return accepted

    @applies(events.GoodsReserved)
    def _reserved(self, event: events.GoodsReserved) -> None:
        self._born(event, ReservationStatus.HELD)

    @applies(events.ReservationRefused)
    def _refused(self, event: events.ReservationRefused) -> None:
        self._born(event, ReservationStatus.REFUSED)

    def _born(self, event: events.GoodsReserved | events.ReservationRefused, status: ReservationStatus) -> None:
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
    """So many of one sku, set aside for an order."""

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


class StockOfDay(Row):
    """A row of a read model: one sku at the end of a day (UTC) on which it moved, and how much of it did."""

    read_model = "inventory.stock-per-day"
    key = ("sku", "day")

    sku = models.CharField(max_length=40)
    day = models.DateField()
    version = models.PositiveIntegerField(default=0)
    latest = models.BooleanField(default=True, help_text="nothing of it has moved since")
    on_hand = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    received = models.BigIntegerField(default=0)
    adjusted = models.BigIntegerField(default=0)
    shipped = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = verbose_name_plural = "stock per day"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "sku", "day"], name="stock_of_a_day_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["build", "sku"], name="stock_of_the_latest_day", condition=Q(latest=True)),
            models.Index(fields=["build", "-day"], name="stock_by_day"),
        ]

    def __str__(self) -> str:
        return f"stock of {self.sku} on {self.day}"
