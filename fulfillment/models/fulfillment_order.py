"""The goods of one order, per SKU, once they go different ways, are stopped or are held."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q

from fulfillment import events
from integration.aggregates.aggregate import OfOneStory, Part, applies
from integration.domain.errors import Refused
from integration.domain.identifiers import (
    CancellationId,
    HoldId,
    OrderNumber,
    ReturnId,
    ShipmentId,
    Sku,
    WithdrawalId,
)


class NothingLeft(Refused):
    """More of a SKU was to leave the warehouse than is left of the order."""


class ReturnAsked(Refused):
    """The buyer asked for a return of some of these goods, so they cannot be lost."""


class OnHold(Refused):
    """The order is on hold: nothing of it may be dispatched."""


ACTIVE, TOO_LATE, LIFTED = "active", "too_late", "lifted"
"""What became of a hold."""


class FulfillmentOrder(OfOneStory):
    """How many units of each SKU an order has to ship, and what became of them.

    The first decision about a part of an order's goods opens it, and the first hold. An order that leaves whole in one
    parcel has none: its one shipment says all.

    `cancellations` has the cancellations that were decided about. `holds` has the reason and the status of each hold,
    by its identifier. Both are empty without any.
    """

    stream = "fulfillment_order"
    parts: ClassVar = {"lines": "line_rows"}
    lines: "list[FulfillmentLine]"

    order = models.CharField(max_length=20, primary_key=True)
    returns = models.IntegerField("how many returns were opened", default=0, db_default=0)
    cancellations = models.JSONField(null=True, editable=False)
    holds = models.JSONField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"goods of {self.order}"

    @classmethod
    def open(cls, order: OrderNumber, quantities: Mapping[Sku, int]) -> Self:
        """The goods of an order, of which nothing has left yet."""
        opened = cls()
        opened.record(events.FulfillmentOrderOpened(order=order, quantities=dict(quantities)))
        return opened

    @property
    def _order(self) -> OrderNumber:
        return OrderNumber(self.order)

    def ask_return(self, return_: ReturnId, quantities: Mapping[Sku, int]) -> None:
        """Record that these units are to come back; raises `NothingLeft` if the buyer has fewer."""
        has = {line.sku: line.returnable for line in self.lines}
        self.require(all(quantity <= has.get(sku, 0) for sku, quantity in quantities.items()), NothingLeft)
        order = OrderNumber(self.order)
        self.record(events.GoodsReturnAsked(order=order, return_=return_, quantities=dict(quantities)))

    def drop_return(self, return_: ReturnId, quantities: Mapping[Sku, int]) -> None:
        """Record that these units of a return do not come back after all."""
        order = OrderNumber(self.order)
        self.record(events.GoodsReturnDropped(order=order, return_=return_, quantities=dict(quantities)))

    def lose(self, shipment: ShipmentId, quantities: Mapping[Sku, int]) -> None:
        """Record that these units, which left in a shipment, are lost; raises `ReturnAsked`."""
        there = {line.sku: line.returnable for line in self.lines}
        self.require(all(quantity <= there.get(sku, 0) for sku, quantity in quantities.items()), ReturnAsked)
        self.record(events.GoodsLost(order=OrderNumber(self.order), shipment=shipment, quantities=dict(quantities)))

    @property
    def left(self) -> dict[Sku, int]:
        """The units of each SKU that are still in the warehouse and to be shipped."""
        return {Sku(line.sku): line.left for line in self.lines if line.left}

    @property
    def active_holds(self) -> list[str]:
        """The active holds, each with its reason."""
        return [f"{id} ({hold['reason']})" for id, hold in (self.holds or {}).items() if hold["status"] == ACTIVE]

    def require_no_hold(self) -> None:
        """Raise `OnHold` if a hold is active."""
        active = self.active_holds
        self.require(not active, OnHold(f"order {self.order} is on hold: {', '.join(active)}"))

    def dispatch(self, shipment: ShipmentId, quantities: Mapping[Sku, int]) -> None:
        """Record that these units left in a shipment.

        Raises:
            OnHold: a hold is active.
            NothingLeft: fewer units are left.
        """
        self.require_no_hold()
        left = self.left
        self.require(all(quantity <= left.get(sku, 0) for sku, quantity in quantities.items()), NothingLeft)
        self.record(events.GoodsDispatched(order=self._order, shipment=shipment, quantities=dict(quantities)))

    def stop(self, cancellation: CancellationId, quantities: Mapping[Sku, int]) -> dict[Sku, int]:
        """Stop as many of these units as are left; each cancellation counts once.

        Returns:
            The units that the caller must take out of the shipment that has them.
        """
        if cancellation in (self.cancellations or ()):
            return {}
        left = self.left
        stopped = {sku: units for sku, wanted in quantities.items() if (units := min(wanted, left.get(sku, 0)))}
        gone = {sku: units for sku, wanted in quantities.items() if (units := wanted - stopped.get(sku, 0))}
        self.record(events.GoodsStopped(order=self._order, cancellation=cancellation, quantities=stopped, gone=gone))
        return stopped

    def stop_all(self) -> None:
        """Stop all that is left, because the order is cancelled."""
        if left := self.left:
            self.record(events.AllGoodsStopped(order=self._order, quantities=left))

    def hold(self, hold: HoldId, reason: str) -> None:
        """Let nothing leave until the hold is lifted, or refuse if nothing is left; each hold counts once."""
        if hold in (self.holds or {}):
            return
        decided = events.GoodsHeld if self.left else events.HoldRefused
        self.record(decided(order=self._order, hold=hold, reason=reason))

    def lift(self, hold: HoldId) -> None:
        """End a hold, also one that is not known yet: it will not begin."""
        if (self.holds or {}).get(hold, {}).get("status") not in (TOO_LATE, LIFTED):
            self.record(events.HoldLifted(order=self._order, hold=hold))

    def note_withdrawal(self, withdrawal: WithdrawalId, return_: ReturnId | None) -> None:
        """Record that a withdrawal is arranged, and which return has what had left."""
        self.record(events.GoodsWithdrawn(order=self._order, withdrawal=withdrawal, return_=return_))

    @applies(events.GoodsWithdrawn)
    def _withdrawn(self, event: events.GoodsWithdrawn) -> None:
        """The stopped goods and the return are events of their own."""

    @applies(events.FulfillmentOrderOpened)
    def _opened(self, event: events.FulfillmentOrderOpened) -> None:
        self.order = event.order
        in_order = sorted(event.quantities.items())  # as the history sorts them
        self.lines = [FulfillmentLine.of(self, sku=sku, to_ship=quantity) for sku, quantity in in_order]

    @applies(events.GoodsDispatched)
    def _dispatched(self, event: events.GoodsDispatched) -> None:
        for line in self.lines:
            if quantity := event.quantities.get(Sku(line.sku), 0):
                line.dispatched += quantity
                self.touch(line)

    @applies(events.GoodsReturnAsked)
    def _return_asked(self, event: events.GoodsReturnAsked) -> None:
        self.returns += 1
        self._count_asked(event.quantities, 1)

    @applies(events.GoodsReturnDropped)
    def _return_dropped(self, event: events.GoodsReturnDropped) -> None:
        self._count_asked(event.quantities, -1)

    def _count_asked(self, quantities: Mapping[Sku, int], sign: int) -> None:
        for line in self.lines:
            if quantity := quantities.get(Sku(line.sku), 0):
                line.return_asked += sign * quantity
                self.touch(line)

    @applies(events.GoodsStopped)
    def _stopped(self, event: events.GoodsStopped) -> None:
        self._count_stopped(event.quantities)
        self.cancellations = [*(self.cancellations or ()), event.cancellation]

    @applies(events.AllGoodsStopped)
    def _all_stopped(self, event: events.AllGoodsStopped) -> None:
        self._count_stopped(event.quantities)

    def _count_stopped(self, quantities: Mapping[Sku, int]) -> None:
        for line in self.lines:
            if quantity := quantities.get(Sku(line.sku), 0):
                line.stopped += quantity
                self.touch(line)

    @applies(events.GoodsHeld)
    def _held(self, event: events.GoodsHeld) -> None:
        self._note_hold(event.hold, reason=event.reason, status=ACTIVE)

    @applies(events.HoldRefused)
    def _hold_refused(self, event: events.HoldRefused) -> None:
        self._note_hold(event.hold, reason=event.reason, status=TOO_LATE)

    @applies(events.HoldLifted)
    def _hold_lifted(self, event: events.HoldLifted) -> None:
        self._note_hold(event.hold, status=LIFTED)

    def _note_hold(self, hold: HoldId, **facts: Any) -> None:
        holds = self.holds or {}
        self.holds = {**holds, hold: {**holds.get(hold, {"reason": ""}), **facts}}

    @applies(events.GoodsLost)
    def _lost(self, event: events.GoodsLost) -> None:
        for line in self.lines:
            if quantity := event.quantities.get(Sku(line.sku), 0):
                line.lost += quantity
                self.touch(line)


class FulfillmentLine(Part):
    """One SKU of an order: the units to ship, and what became of them.

    `stopped` units never leave the warehouse. Of the `dispatched` ones the carrier `lost` some, and for others the
    buyer asked for a return.
    """

    fulfillment_order = models.ForeignKey(
        FulfillmentOrder, on_delete=models.CASCADE, related_name="line_rows", db_index=False
    )
    sku = models.CharField(max_length=40)
    to_ship = models.PositiveIntegerField()
    dispatched = models.PositiveIntegerField(default=0, db_default=0)
    stopped = models.IntegerField(default=0, db_default=0)
    lost = models.IntegerField(default=0, db_default=0)
    return_asked = models.IntegerField(default=0, db_default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["fulfillment_order", "sku"], name="one_fulfillment_line_a_sku"),
            models.CheckConstraint(condition=Q(to_ship__gte=1), name="fulfillment_line_of_something"),
            models.CheckConstraint(condition=Q(dispatched__lte=F("to_ship")), name="dispatched_at_most_to_ship"),
            models.CheckConstraint(
                condition=Q(stopped__gte=0, lost__gte=0, return_asked__gte=0)
                & Q(to_ship__gte=F("dispatched") + F("stopped"))
                & Q(dispatched__gte=F("return_asked") + F("lost")),
                name="each_unit_goes_one_way",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.to_ship} × {self.sku}"

    @property
    def left(self) -> int:
        """The units that are still in the warehouse."""
        return self.to_ship - self.dispatched - self.stopped

    @property
    def returnable(self) -> int:
        """The units that the buyer has, and that are in no return."""
        return self.dispatched - self.lost - self.return_asked
