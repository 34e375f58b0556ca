"""The part of an order that is about requests to fulfillment: cancel some lines, hold the goods."""

from collections.abc import Mapping, Sequence
from typing import Any

from integration.aggregates.aggregate import applies
from integration.domain.errors import NotFound, Refused, Unacceptable
from integration.domain.identifiers import BuyerId, CancellationId, HoldId, PaymentId, Sku, sibling
from integration.domain.money import Money
from ordering import events
from ordering.models.order_requests import (
    OPEN_HOLDS,
    HoldReason,
    HoldStatus,
    RequestStatus,
    requested_units,
    summed,
)
from ordering.models.order_shipments import delivered_status, resolved_status, shipped_status, without_the_empty
from ordering.models.order_shipping import OrderInShipments
from ordering.models.order_states import (
    CONFIRMED,
    CONFIRMED_STATES,
    DELIVERED,
    PARTIALLY_SHIPPED,
    PAYMENT_PENDING,
    PENDING,
    SHIPPED,
    CancellationReason,
    CancellationUnderWay,
)


class NotOrdered(Unacceptable):
    """The order has no line of this SKU."""


class MoreThanOpen(Refused):
    """Fewer units of this SKU are open: the others are shipped, cancelled, or about to be cancelled."""


class HoldIsOver(Refused):
    """The hold came too late: there is nothing to lift."""


class OrderWithRequests(OrderInShipments):
    """An order of which some lines can be cancelled, and which can be held."""

    cancellation_requested: bool
    buyer_id: str
    total: Any
    spend_refunded: Any
    currency: Any
    withdrawal_facts: Any

    class Meta:
        abstract = True

    def _cancel(self, reason: CancellationReason, note: str = "", shipping_withheld: Money | None = None) -> None:
        order, buyer, confirmed = self._number, BuyerId(self.buyer_id), self.status == CONFIRMED
        why, spend = reason.value, self.total - self.spend_refunded if confirmed else Money.zero(self.currency)
        self.record(
            events.OrderCancelled(
                order=order,
                buyer=buyer,
                reason=why,
                note=note,
                total=self.total,
                was_confirmed=confirmed,
                spend=spend,
                shipping_withheld=shipping_withheld,
            )
        )

    def cancel_lines(
        self,
        lines: Sequence[tuple[Sku, int]],
        reason: CancellationReason,
        note: str = "",
        cancellation: CancellationId | None = None,
    ) -> None:
        """Request that fulfillment stops these units; a SKU may be named twice.

        Args:
            cancellation: an identifier of its own, for a request that has another cause; None makes one.

        Raises:
            NotAllowed: the order is not confirmed, or nothing of it is open.
            NotOrdered: the order has no line of a SKU.
            MoreThanOpen: fewer units of a SKU are open.
            CancellationUnderWay: the cancellation of the whole order is requested.
        """
        if not self.accepts("cancel_lines"):
            return
        whole = "The cancellation of the whole order is requested. Fulfillment is still to decide."
        self.require(not self.cancellation_requested, CancellationUnderWay(whole))
        asked = requested_units(self.line_cancellations)
        left = {Sku(line.sku): line.open - asked.get(Sku(line.sku), 0) for line in self.lines}
        for i, (sku, _) in enumerate(lines):
            self.require(sku in left, NotOrdered(f"{self} has no line of {sku}", pointer=f"/lines/{i}/sku"))
        units = dict(summed(lines))
        for sku, quantity in units.items():
            self.require(quantity <= left[sku], MoreThanOpen(f"only {left[sku]} × {sku} of {self} can be cancelled"))
        id = cancellation or CancellationId(sibling("C", self._number, len(self.line_cancellations or ()) + 1))
        self.record(
            events.OrderLinesCancellationRequested(
                order=self._number, cancellation=id, quantities=units, reason=reason.value, note=note
            )
        )

    def settle_lines_cancellation(self, cancellation: CancellationId, stopped: Mapping[Sku, int]) -> None:
        """Cancel the units that fulfillment stopped, perhaps none; each cancellation is decided about once.

        If no other units are left, the order is cancelled.

        Raises:
            NotYet: the order is not confirmed yet.
        """
        facts = (self.line_cancellations or {}).get(cancellation)
        if not self.accepts(self._message_of(stopped)) or not facts or facts["status"] != RequestStatus.REQUESTED:
            return
        order, reason, buyer = self._number, facts["reason"], BuyerId(self.buyer_id)
        if not stopped:
            self.record(events.OrderLinesCancellationRefused(order=order, cancellation=cancellation))
            return
        withheld = self.withheld_by(cancellation)
        is_all = all(line.quantity == line.cancelled + stopped.get(Sku(line.sku), 0) for line in self.lines)
        self.record(
            events.OrderLinesCancelled(
                order=order,
                buyer=buyer,
                cancellation=cancellation,
                quantities=dict(stopped),
                reason=reason,
                is_all=is_all,
                shipping_withheld=withheld,
            )
        )
        if is_all:
            self._cancel(CancellationReason(reason), shipping_withheld=withheld)

    def withheld_by(self, cancellation: CancellationId) -> Money | None:
        """What of the shipping is not refunded, if the cancellation is the stopped part of a withdrawal."""
        amount = (self.withdrawal_facts or {}).get(cancellation, {}).get("shipping_withheld")
        return Money(**amount) if amount else None

    def _message_of(self, stopped: Mapping[Sku, int]) -> str:
        """The message of the state table: it depends on what else there is in the order."""
        if not stopped:
            return "reject_lines_cancellation"
        if any(line.open > stopped.get(Sku(line.sku), 0) for line in self.lines):
            return "cancel_stopped_lines"
        if not any(line.shipped for line in self.lines):
            return "complete_cancellation"
        if delivered_status(SHIPPED, self.shipments) != DELIVERED:
            return "cancel_rest_under_way"
        is_with_buyer = any(line.shipped > line.returned + line.lost for line in self.lines)
        return "cancel_rest_of_delivered" if is_with_buyer else "cancel_rest_of_returned"

    def hold(self, reason: HoldReason, note: str = "", dispute: str = "") -> None:
        """Request that nothing is dispatched, perhaps because of a dispute, or of a payment whose authorization ends.

        Raises:
            NotAllowed: all is shipped or cancelled.
        """
        if self.accepts("hold"):
            hold = HoldId(sibling("H", self._number, len(self.order_holds or ()) + 1))
            is_asked = self.status in CONFIRMED_STATES
            self.record(
                events.OrderHeld(
                    order=self._number, hold=hold, reason=reason.value, note=note, is_asked=is_asked, dispute=dispute
                )
            )

    def hold_for_dispute(self, dispute: str) -> None:
        """Request a hold until a dispute ends; do nothing if it has one, if it has ended, or if nothing is left."""
        if self._can_be_held and self._hold_of(dispute) is None:
            self.hold(HoldReason.OTHER, f"dispute {dispute}", dispute)

    def hold_until_paid(self, payment: PaymentId) -> None:
        """Request a hold because the authorization of a payment ends; do nothing if it has one, or nothing is left."""
        if self._can_be_held and self._hold_of(payment) is None:
            self.hold(HoldReason.AWAITING_PAYMENT, f"the authorization of {payment} ends", payment)

    def end_dispute(self, dispute: str) -> None:
        """End the hold of a dispute that was won. If it has none yet, one that has ended remembers the dispute."""
        self.hold_for_dispute(dispute)
        hold = self._hold_of(dispute)
        if hold and (self.order_holds or {})[hold]["status"] in OPEN_HOLDS:
            self.lift_hold(hold)

    def units_to_cancel(self) -> list[tuple[Sku, int]]:
        """The units of which nothing has left and no cancellation is requested."""
        asked = requested_units(self.line_cancellations)
        left = [(Sku(line.sku), line.open - asked.get(Sku(line.sku), 0)) for line in self.lines]
        return [(sku, quantity) for sku, quantity in left if quantity]

    @property
    def _can_be_held(self) -> bool:
        return self.status in (PENDING, PAYMENT_PENDING, CONFIRMED, PARTIALLY_SHIPPED)

    def _hold_of(self, dispute: str) -> HoldId | None:
        holds = (self.order_holds or {}).items()
        return next((HoldId(id) for id, hold in holds if hold.get("dispute") == dispute), None)

    def lift_hold(self, hold: HoldId) -> None:
        """End a hold; do nothing if it was lifted before.

        Raises:
            NotFound: the order has no such hold.
            HoldIsOver: the hold came too late.
        """
        known = (self.order_holds or {}).get(hold)
        self.require(known is not None, NotFound(f"{self} has no hold {hold}"))
        status = (known or {})["status"]
        self.require(status != HoldStatus.TOO_LATE, HoldIsOver)
        if self.accepts("lift_hold") and status in OPEN_HOLDS:
            is_published = self.status in CONFIRMED_STATES
            self.record(events.OrderHoldLifted(order=self._number, hold=hold, is_published=is_published))

    def settle_hold(self, hold: HoldId, *, is_active: bool) -> None:
        """Record what fulfillment decided about a hold; ignored if it is lifted meanwhile. Raises `NotYet`."""
        status = (self.order_holds or {}).get(hold, {}).get("status")
        if self.accepts("settle_hold") and status == HoldStatus.REQUESTED:
            decided = events.OrderHoldActive if is_active else events.OrderHoldTooLate
            self.record(decided(order=self._number, hold=hold))

    @applies(events.OrderLinesCancellationRequested)
    def _lines_cancellation_requested(self, event: events.OrderLinesCancellationRequested) -> None:
        self.show_request(event)

    @applies(events.OrderLinesCancelled)
    def _lines_cancelled(self, event: events.OrderLinesCancelled) -> None:
        self.show_cancelled(event)
        for line in self.lines:
            if units := event.quantities.get(Sku(line.sku), 0):
                line.cancelled += units
                self.touch(line)
        self.shipments = without_the_empty(self.shipments, self.lines)
        if any(line.shipped for line in self.lines):
            self.status = resolved_status(shipped_status(self.lines), self.shipments, self.lines)

    @applies(events.OrderLinesCancellationRefused)
    def _lines_cancellation_refused(self, event: events.OrderLinesCancellationRefused) -> None:
        self.show_refused(event)

    @applies(events.OrderHeld)
    def _held(self, event: events.OrderHeld) -> None:
        self.show_held(event)

    @applies(events.OrderHoldActive)
    def _hold_active(self, event: events.OrderHoldActive) -> None:
        self.show_hold(event.hold, HoldStatus.ACTIVE)

    @applies(events.OrderHoldTooLate)
    def _hold_too_late(self, event: events.OrderHoldTooLate) -> None:
        self.show_hold(event.hold, HoldStatus.TOO_LATE)

    @applies(events.OrderHoldLifted)
    def _hold_lifted(self, event: events.OrderHoldLifted) -> None:
        self.show_hold(event.hold, HoldStatus.LIFTED)
