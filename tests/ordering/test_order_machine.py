"""Compares an order with a much simpler model after random sequences of messages, also repeated ones."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from integration.domain.address import Address
from integration.domain.errors import NotYet
from integration.domain.identifiers import PaymentId, ShipmentId, Sku
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from ordering.events import OrderCancelled, OrderConfirmed, OrderRefunded
from ordering.models import AmountMismatch, CancellationReason
from ordering.models.order_shipping import ShippedTooMuch
from ordering.pricing import Item
from tests.histories import assert_is_its_history
from tests.plain_orders import place_plainly

PENDING, AWAITING, CONFIRMED, PARTLY, SHIPPED, DELIVERED, CANCELLED = range(7)
NAMES = ["pending", "payment_pending", "confirmed", "partly_shipped", "shipped", "delivered", "cancelled"]
LONDON = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
PAYMENT, SHIPMENTS = PaymentId("P-1-1"), [ShipmentId(f"S-1-{n}") for n in (1, 2, 3)]

lines = st.lists(
    st.builds(
        Item,
        st.sampled_from([Sku("MUG"), Sku("LAMP"), Sku("ROPE")]),
        st.just("Thing"),
        st.integers(1, 100_000),
        st.builds(Money.of_minor, st.integers(0, 10_000_000), st.just("USD")),
    ),
    min_size=1,
    unique_by=lambda line: line.sku,
)


class OrderMachine(RuleBasedStateMachine):
    """The model: the stage, the amounts paid, refunded and spent, and whether a cancellation is requested."""

    @initialize(lines=lines, percent=st.integers(0, 100))
    def place(self, lines: list[Item], percent: int) -> None:
        self.order = place_plainly(lines, percent, shipping_address=LONDON)
        self.total = sum(line.quantity * line.unit_price.minor for line in lines) - self.order.discount.minor
        self.stage, self.reason, self.paid, self.refunded, self.cancellation_requested = PENDING, "", 0, 0, False
        self.spent = 0
        self.left = {Sku(line.sku): line.quantity for line in lines}
        self.sent: dict[ShipmentId, dict[Sku, int]] = {}
        self.arrived: set[ShipmentId] = set()

    def send(self, message: Callable[[], Any], refusal: type[Exception] | None = None) -> None:
        expected: AbstractContextManager[Any] = pytest.raises(refusal) if refusal else nullcontext()
        before = self.order.version
        with expected:
            message()
        if refusal:
            assert self.order.version == before

    def cancelled(self, reason: str) -> None:
        self.stage, self.reason, self.cancellation_requested, self.spent = CANCELLED, reason, False, 0

    @rule()
    def goods_are_reserved(self) -> None:
        self.send(self.order.await_payment)
        if self.stage == PENDING:
            self.stage = AWAITING

    @rule()
    def goods_run_out(self) -> None:
        self.send(self.order.cancel_for_shortage)
        if self.stage == PENDING:
            self.cancelled("out_of_stock")

    @rule(difference=st.sampled_from([0, 0, 0, 1, -1]))
    def payment_succeeds(self, difference: int) -> None:
        counts = self.stage in (AWAITING, CANCELLED)
        refusal = NotYet if self.stage == PENDING else AmountMismatch if counts and difference else None
        amount = Money.of_minor(self.total + difference, "USD")
        self.send(lambda: self.order.confirm(PAYMENT, amount), refusal)
        if counts and not refusal:
            self.paid = self.total
            if self.stage == AWAITING:
                self.stage, self.spent = CONFIRMED, self.total

    @rule()
    def payment_is_declined(self) -> None:
        self.send(lambda: self.order.cancel_for_declined_payment("no"), NotYet if self.stage == PENDING else None)
        if self.stage == AWAITING:
            self.cancelled("payment_failed")

    @rule()
    def payment_deadline_passes(self) -> None:
        self.send(self.order.expire)
        if self.stage in (PENDING, AWAITING):
            self.cancelled("payment_timeout")

    @rule(reason=st.sampled_from([CancellationReason.BY_BUYER, CancellationReason.BY_OPERATOR]))
    def a_person_cancels(self, reason: CancellationReason) -> None:
        self.send(lambda: self.order.cancel(reason), NotAllowed if self.stage > CONFIRMED else None)
        if self.stage in (PENDING, AWAITING):
            self.cancelled(reason.value)
        elif self.stage == CONFIRMED:
            self.cancellation_requested = True

    @rule()
    def fulfillment_stops_the_shipment(self) -> None:
        refusals = {PENDING: NotYet, AWAITING: NotYet, **dict.fromkeys((PARTLY, SHIPPED, DELIVERED), NotAllowed)}
        self.send(
            lambda: self.order.complete_cancellation(CancellationReason.BY_BUYER),
            refusals.get(self.stage),
        )
        if self.stage == CONFIRMED:
            self.cancelled("by_buyer")

    @rule()
    def fulfillment_cannot_stop_the_shipment(self) -> None:
        self.send(self.order.reject_cancellation, NotYet if self.stage < CONFIRMED else None)
        if self.stage >= CONFIRMED:
            self.cancellation_requested = False

    @rule(shipment=st.sampled_from(SHIPMENTS))
    def a_shipment_is_arranged(self, shipment: ShipmentId) -> None:
        self.send(lambda: self.order.mark_arranged(shipment), NotYet if self.stage < CONFIRMED else None)

    @rule(shipment=st.sampled_from(SHIPMENTS), data=st.data())
    def goods_are_shipped(self, shipment: ShipmentId, data: st.DataObject) -> None:
        units = {sku: data.draw(st.integers(0, left + (left < 9))) for sku, left in self.left.items()}
        units = {sku: n for sku, n in units.items() if n} if data.draw(st.booleans()) else dict(self.left)
        refusals = {PENDING: NotYet, AWAITING: NotYet, CANCELLED: NotAllowed}
        refusal = refusals.get(self.stage)
        if shipment in self.sent or not any(units.values()):
            return
        if any(n > self.left[sku] for sku, n in units.items()):
            refusal = ShippedTooMuch
        self.send(lambda: self.order.mark_shipped(shipment, "DHL", "1", units), refusal)
        if not refusal:
            self.sent[shipment] = units
            self.left = {sku: left - units.get(sku, 0) for sku, left in self.left.items()}
            self.stage = PARTLY if any(self.left.values()) else SHIPPED

    @rule(shipment=st.sampled_from(SHIPMENTS))
    def goods_are_shipped_again(self, shipment: ShipmentId) -> None:
        if shipment in self.sent:
            before = self.order.version
            self.order.mark_shipped(shipment, "DHL", "1", self.sent[shipment])
            assert self.order.version == before

    @rule(shipment=st.sampled_from(SHIPMENTS))
    def goods_are_delivered(self, shipment: ShipmentId) -> None:
        refusal = NotAllowed if self.stage == CANCELLED else None if shipment in self.sent else NotYet
        self.send(lambda: self.order.mark_delivered(shipment), refusal)
        if not refusal and shipment in self.sent:
            self.arrived.add(shipment)
            if self.stage == SHIPPED and self.arrived == set(self.sent):
                self.stage = DELIVERED

    @rule(share=st.integers(0, 110))
    def money_is_refunded(self, share: int) -> None:
        refunded = self.total * share // 100
        early = self.stage < CONFIRMED or refunded > max(self.paid, self.refunded)
        self.send(lambda: self.order.record_refund(Money.of_minor(refunded, "USD")), NotYet if early else None)
        if not early:
            self.spent -= max(refunded - self.refunded, 0) if self.stage != CANCELLED else 0
            self.refunded = max(self.refunded, refunded)

    @invariant()
    def order_equals_the_model(self) -> None:
        order = self.order
        assert (order.status, order.cancellation_reason) == (NAMES[self.stage], self.reason)
        assert (order.total_minor, order.paid_minor, order.refunded_minor) == (self.total, self.paid, self.refunded)
        assert all(line.shipped == line.quantity - self.left[Sku(line.sku)] for line in order.lines)
        arrived = [self.sent[shipment] for shipment in self.arrived]
        delivered = {sku: sum(units.get(sku, 0) for units in arrived) for sku in self.left}
        assert all(order.delivered.get(sku, 0) == n for sku, n in delivered.items())
        assert order.cancellation_requested == (
            self.cancellation_requested and self.stage in (CONFIRMED, PARTLY, SHIPPED, DELIVERED)
        )

    @invariant()
    def its_events_lower_the_spend_once(self) -> None:
        spent = 0
        for recorded in self.order.recorded_events:
            match recorded.event:
                case OrderConfirmed(paid=paid):
                    spent += paid.minor
                case OrderCancelled(lowers_spend_by=lowered) | OrderRefunded(spend=Money() as lowered):
                    spent -= lowered.minor
        assert spent == self.spent

    @invariant()
    def order_equals_its_history(self) -> None:
        assert_is_its_history(self.order)


TestOrder = OrderMachine.TestCase
