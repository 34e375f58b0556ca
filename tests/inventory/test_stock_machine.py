"""Compares a stock item and its reservations with a simple ledger after random sequences of commands."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from integration.contracts.inventory import Shortage
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.states import NotAllowed
from inventory.events import ReservedLine, StockLevelChanged
from inventory.models import NothingAdjusted, NotInQuarantine, NotThatMany, Reservation, ReservedGoods, StockItem
from tests.histories import assert_is_its_history

MUG = Sku("MUG")
quantities = st.integers(1, 12)


class StockMachine(RuleBasedStateMachine):
    """The ledger: the units on hand, those in quarantine, and those reserved for each order that holds some."""

    orders: Bundle = Bundle("orders")

    @initialize(reorder_point=st.integers(0, 10))
    def open(self, reorder_point: int) -> None:
        self.item = StockItem.open(MUG, reorder_point)
        self.on_hand, self.quarantined, self.reserved = 0, 0, dict[str, int]()
        self.status, self.ordered, self.shipments = dict[str, str](), dict[str, int](), 0
        self.reservations: dict[str, Reservation] = {}

    @property
    def free(self) -> int:
        return self.on_hand - sum(self.reserved.values())

    @rule(quantity=quantities)
    def units_are_received(self, quantity: int) -> None:
        self.item.receive(quantity, "")
        self.on_hand += quantity

    @rule(delta=st.integers(-15, 15))
    def stock_is_adjusted(self, delta: int) -> None:
        refusal = NothingAdjusted if delta == 0 else ReservedGoods if self.free + delta < 0 else None
        if refusal:
            with pytest.raises(refusal):
                self.item.adjust(delta, "counted")
        else:
            self.item.adjust(delta, "counted")
            self.on_hand += delta

    @rule(quantity=quantities)
    def units_are_quarantined(self, quantity: int) -> None:
        if quantity > self.free:
            with pytest.raises(NotThatMany):
                self.item.quarantine(quantity, "box damaged")
        else:
            self.item.quarantine(quantity, "box damaged")
            self.on_hand -= quantity
            self.quarantined += quantity

    @rule(quantity=quantities, are_good=st.booleans())
    def units_leave_quarantine(self, quantity: int, are_good: bool) -> None:
        leave = self.item.clear if are_good else self.item.write_off
        if quantity > self.quarantined:
            with pytest.raises(NotInQuarantine):
                leave(quantity, "looked at")
        else:
            leave(quantity, "looked at")
            self.quarantined -= quantity
            self.on_hand += quantity * are_good

    @rule(target=orders, quantity=quantities)
    def an_order_is_placed(self, quantity: int) -> str:
        order = OrderNumber(f"R-{len(self.status) + 1}")
        line = ReservedLine(MUG, quantity)
        if quantity <= self.free:
            self.item.set_aside(order, quantity)
            self.reservations[order] = Reservation.hold(order, [line])
            self.status[order], self.reserved[order] = "held", quantity
        else:
            with pytest.raises(NotThatMany):
                self.item.set_aside(order, quantity)
            shortage = Shortage(MUG, quantity, self.free)
            self.reservations[order] = Reservation.refuse(order, [line], [shortage])
            self.status[order] = "refused"
        self.ordered[order] = quantity
        return order

    @rule(order=orders)
    def an_order_is_confirmed(self, order: str) -> None:
        if self.status[order] in ("expired", "refused"):
            with pytest.raises(NotAllowed):
                self.reservations[order].commit()
        elif self.reservations[order].commit():
            assert self.status[order] == "held"
            self.status[order] = "committed"

    @rule(order=orders, overdue=st.booleans())
    def an_order_is_cancelled(self, order: str, overdue: bool) -> None:
        reservation, before = self.reservations[order], self.status[order]
        if before == "shipped" or (overdue and before == "committed"):
            with pytest.raises(NotAllowed):
                reservation.expire() if overdue else reservation.release("by_buyer")
        elif reservation.expire() if overdue else reservation.release("by_buyer"):
            self.item.free(OrderNumber(order), self.reserved.pop(order))
            self.status[order] = "expired" if overdue else "released"
        else:
            assert before in ("released", "expired", "refused")

    @rule(order=orders, data=st.data())
    def a_part_of_an_order_is_shipped(self, order: str, data: st.DataObject) -> None:
        reservation = self.reservations[order]
        if self.status[order] != "committed" or self.reserved[order] == 1:
            return
        self.shipments += 1
        quantity = data.draw(st.integers(1, self.reserved[order] - 1))
        shipment, lines = ShipmentId(f"S-1-{self.shipments}"), [ReservedLine(MUG, quantity)]
        assert reservation.ship(shipment, lines) == lines
        assert reservation.ship(shipment, lines) == []
        self.item.ship(OrderNumber(order), quantity)
        self.reserved[order] -= quantity
        self.on_hand -= quantity

    @rule(order=orders)
    def an_order_is_shipped(self, order: str) -> None:
        reservation, before = self.reservations[order], self.status[order]
        lines = reservation.open_lines or [ReservedLine(MUG, self.ordered[order])]
        refusals = {"held": NotYet, "released": NotAllowed, "expired": NotAllowed, "refused": NotAllowed}
        if before in refusals:
            with pytest.raises(refusals[before]):
                reservation.ship(ShipmentId("S-1-0"), lines)
        elif reservation.ship(ShipmentId("S-1-0"), lines):
            quantity = self.reserved.pop(order)
            self.item.ship(OrderNumber(order), quantity)
            self.on_hand -= quantity
            self.status[order] = "shipped"

    @invariant()
    def the_ledger_agrees(self) -> None:
        assert (self.item.on_hand, self.item.reserved) == (self.on_hand, sum(self.reserved.values()))
        assert self.item.quarantined == self.quarantined
        assert 0 <= self.item.reserved <= self.item.on_hand
        for order, status in self.status.items():
            assert self.reservations[order].status == status
            assert (order in self.reserved) == (status in ("held", "committed"))
            assert [line.quantity for line in self.reservations[order].lines] == [self.ordered[order]]
            assert sum(line.quantity for line in self.reservations[order].open_lines) == self.reserved.get(order, 0)

    @invariant()
    def the_last_recorded_level_is_the_level(self) -> None:
        levels = [r.event.level for r in self.item.recorded_events if isinstance(r.event, StockLevelChanged)]
        assert self.item.level == (levels[-1] if levels else "out")

    @invariant()
    def all_aggregates_equal_their_histories(self) -> None:
        for aggregate in (self.item, *self.reservations.values()):
            assert_is_its_history(aggregate)


TestStock = StockMachine.TestCase
