"""The stock of one SKU: reserved units never exceed units on hand, and every movement is an event.

Units in quarantine have a quantity of their own: they are not on hand, so they cannot be reserved or sold.
"""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q

from integration.aggregates.aggregate import Aggregate, applies
from integration.domain.errors import Refused, Unacceptable
from integration.domain.identifiers import OrderNumber, ReceiptId, Sku
from inventory import events

MAX_QUANTITY = 1_000_000_000


class QuantityOutOfBounds(Unacceptable):
    """A quantity must be a whole number from 1 to 1,000,000,000."""


class NothingAdjusted(Unacceptable):
    """An adjustment must be a whole number from -1,000,000,000 to 1,000,000,000, other than 0."""


class ReservedGoods(Refused):
    """The adjustment would remove units that are reserved for orders."""


class NotThatMany(Refused):
    """Fewer units are available than requested."""


class NotInQuarantine(Refused):
    """Fewer units are in quarantine than requested."""


class Level(models.TextChoices):
    """How much is available: more than the reorder point, at most the reorder point, or nothing."""

    IN_STOCK = "in_stock"
    LOW = "low"
    OUT = "out"


class StockItem(Aggregate):
    """How many units of one SKU are on hand, how many of them are reserved, and how many others are in quarantine."""

    stream = "stock_item"
    DEFAULT_REORDER_POINT = 5

    sku = models.CharField(max_length=40, primary_key=True)
    on_hand = models.PositiveBigIntegerField(default=0)
    reserved = models.PositiveBigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0, db_default=0)
    reorder_point = models.PositiveIntegerField(default=DEFAULT_REORDER_POINT)

    class Meta:
        ordering: ClassVar = ["sku"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(reserved__gte=0, reserved__lte=F("on_hand")), name="reserved_at_most_on_hand"
            ),
            models.CheckConstraint(condition=Q(quarantined__gte=0), name="quarantined_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"stock of {self.sku}"

    @classmethod
    def open(cls, sku: Sku, reorder_point: int = DEFAULT_REORDER_POINT) -> Self:
        """A new stock item with no units on hand."""
        item = cls()
        item.record(events.StockItemOpened(sku=sku, reorder_point=reorder_point))
        return item

    @property
    def available(self) -> int:
        """The units on hand that are not reserved."""
        return self.on_hand - self.reserved

    @property
    def level(self) -> Level:
        """The level that the available units and the reorder point result in."""
        if self.available == 0:
            return Level.OUT
        return Level.LOW if self.available <= self.reorder_point else Level.IN_STOCK

    def receive(self, quantity: int, reference: str) -> None:
        """Add received units to those on hand; raises `QuantityOutOfBounds`."""
        self._require_quantity(quantity)
        self._move(events.StockReceived(quantity=quantity, reference=reference))

    def adjust(self, delta: int, reason: str) -> None:
        """Correct the units on hand by `delta`, which is negative to remove units.

        Raises:
            NothingAdjusted: `delta` is 0 or out of bounds.
            ReservedGoods: fewer units would be on hand than are reserved.
        """
        self.require(delta != 0 and abs(delta) <= MAX_QUANTITY, NothingAdjusted(pointer="/delta"))
        self.require(self.available + delta >= 0, ReservedGoods)
        self._move(events.StockAdjusted(delta=delta, reason=reason))

    def set_aside(self, order: OrderNumber, quantity: int) -> None:
        """Reserve units for an order; raises `NotThatMany` if fewer are available."""
        self.require(quantity <= self.available, NotThatMany)
        self._move(events.StockSetAside(order=order, quantity=quantity))

    def free(self, order: OrderNumber, quantity: int) -> None:
        """Make units that are reserved for an order available again."""
        self._move(events.StockFreed(order=order, quantity=quantity))

    def ship(self, order: OrderNumber, quantity: int) -> None:
        """Deduct units that are reserved for an order from those on hand, because they left the warehouse."""
        self._move(events.StockShipped(order=order, quantity=quantity))

    def quarantine(self, quantity: int, reason: str) -> None:
        """Put available units into quarantine.

        Raises:
            QuantityOutOfBounds: the quantity is not from 1 to 1,000,000,000.
            NotThatMany: fewer units are available.
        """
        self._require_quantity(quantity)
        self.require(quantity <= self.available, NotThatMany)
        self._move(events.StockQuarantined(quantity=quantity, reason=reason))

    def clear(self, quantity: int, reason: str) -> None:
        """Move units from quarantine to those on hand; raises `QuantityOutOfBounds`, `NotInQuarantine`."""
        self._require_in_quarantine(quantity)
        self._move(events.StockCleared(quantity=quantity, reason=reason))

    def write_off(self, quantity: int, reason: str) -> None:
        """Remove units in quarantine from the stock for good; raises `QuantityOutOfBounds`, `NotInQuarantine`."""
        self._require_in_quarantine(quantity)
        self._move(events.StockWrittenOff(quantity=quantity, reason=reason))

    def come_back(self, order: OrderNumber, receipt: ReceiptId, quantity: int) -> None:
        """Add units that a buyer sent back to those on hand."""
        self._move(events.StockCameBack(order=order, receipt=receipt, quantity=quantity))

    def come_back_to_quarantine(self, order: OrderNumber, receipt: ReceiptId, quantity: int) -> None:
        """Add units that a buyer sent back to those in quarantine."""
        self._move(events.StockCameBackToQuarantine(order=order, receipt=receipt, quantity=quantity))

    def _require_quantity(self, quantity: int) -> None:
        self.require(1 <= quantity <= MAX_QUANTITY, QuantityOutOfBounds(pointer="/quantity"))

    def _require_in_quarantine(self, quantity: int) -> None:
        self._require_quantity(quantity)
        self.require(quantity <= self.quarantined, NotInQuarantine)

    def _move(self, movement: Any) -> None:
        before = self.level
        self.record(movement)
        if self.level != before:
            # The version of the event recorded next. Contracts about the level may arrive in any order: consumers
            # ignore one with a lower number than the last.
            sequence = self.version + 1
            self.record(
                events.StockLevelChanged(
                    sku=Sku(self.sku), level=self.level.value, available=self.available, sequence=sequence
                )
            )

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

    @applies(events.StockQuarantined)
    def _quarantined(self, event: events.StockQuarantined) -> None:
        self.on_hand -= event.quantity
        self.quarantined += event.quantity

    @applies(events.StockCleared)
    def _cleared(self, event: events.StockCleared) -> None:
        self.quarantined -= event.quantity
        self.on_hand += event.quantity

    @applies(events.StockWrittenOff)
    def _written_off(self, event: events.StockWrittenOff) -> None:
        self.quarantined -= event.quantity

    @applies(events.StockCameBack)
    def _came_back(self, event: events.StockCameBack) -> None:
        self.on_hand += event.quantity

    @applies(events.StockCameBackToQuarantine)
    def _came_back_to_quarantine(self, event: events.StockCameBackToQuarantine) -> None:
        self.quarantined += event.quantity

    @applies(events.StockLevelChanged)
    def _level_changed(self, event: events.StockLevelChanged) -> None:
        """Change nothing: the level is computed from the quantities, and the event only announces its change."""
