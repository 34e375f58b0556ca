"""Compares the goods of an order, its holds and its returns with a much simpler model after random sequences."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from fulfillment.events import LineToReturn, ReceivedLine
from fulfillment.models import Return
from fulfillment.models.fulfillment_order import FulfillmentOrder, NothingLeft, OnHold, ReturnAsked
from fulfillment.models.return_ import NotThatManyExpected
from integration.domain.identifiers import CancellationId, HoldId, OrderNumber, ReceiptId, ReturnId, ShipmentId, Sku
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from tests.histories import assert_is_its_history

ORDER = OrderNumber("R-1")
SKUS = [Sku("LAMP"), Sku("MUG")]
SEND_BY = datetime(2026, 2, 1, tzinfo=UTC)
COLUMN_OF = {"restock": "restocked", "quarantine": "quarantined", "write_off": "written_off", "missing": "missing"}
DISPOSITIONS = list(COLUMN_OF)
REQUESTED, APPROVED, REFUSED, RECEIVED, CLOSED = "requested", "approved", "refused", "received", "closed"

some_units = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 4), min_size=1)


class Box:
    """The model of a return: the units that are expected, and those that came or are missing, by disposition."""

    def __init__(self, return_: Return, units: dict[Sku, int]) -> None:
        self.return_, self.status, self.asked = return_, REQUESTED, Counter(units)
        self.expected = Counter(units)
        self.came: dict[str, Counter[Sku]] = {each: Counter() for each in DISPOSITIONS}
        self.unsettled: list[str] = []
        self.receipts = 0


class GoodsMachine(RuleBasedStateMachine):
    """The model: per SKU the units that are in the warehouse, with the carrier or buyer, lost, and in a return."""

    returns: Bundle = Bundle("returns")

    @initialize(lamps=st.integers(1, 5), mugs=st.integers(1, 5))
    def open(self, lamps: int, mugs: int) -> None:
        self.ordered = Counter({SKUS[0]: lamps, SKUS[1]: mugs})
        self.goods = FulfillmentOrder.open(ORDER, dict(self.ordered))
        self.stopped, self.sent, self.lost = Counter[Sku](), Counter[Sku](), Counter[Sku]()
        self.boxes: list[Box] = []
        self.holds: dict[HoldId, str] = {}
        self.cancellations: set[CancellationId] = set()
        self.steps = 0

    def send(self, do: Callable[[], Any], refusal: type[Exception] | None, unchanged: Any) -> None:
        expected: AbstractContextManager[Any] = pytest.raises(refusal) if refusal else nullcontext()
        before = unchanged.version
        with expected:
            do()
        assert not refusal or unchanged.version == before

    @property
    def in_warehouse(self) -> Counter[Sku]:
        return self.ordered - self.sent - self.stopped

    @property
    def in_returns(self) -> Counter[Sku]:
        """The units that are in a return, or have come back."""
        asked: Counter[Sku] = Counter()
        for box in self.boxes:
            asked += box.expected
            for how in DISPOSITIONS[:3]:
                asked += box.came[how]
        return asked

    def with_buyer(self) -> Counter[Sku]:
        return self.sent - self.lost - self.in_returns

    def is_held(self) -> bool:
        return "active" in self.holds.values()

    @rule(units=some_units)
    def dispatch(self, units: dict[Sku, int]) -> None:
        self.steps += 1
        refusal = OnHold if self.is_held() else None if Counter(units) <= self.in_warehouse else NothingLeft
        self.send(lambda: self.goods.dispatch(ShipmentId(f"S-1-{self.steps}"), units), refusal, self.goods)
        self.sent += Counter() if refusal else Counter(units)

    @rule(units=some_units, number=st.integers(1, 4))
    def stop(self, units: dict[Sku, int], number: int) -> None:
        """Stop what is left of some units; a cancellation that comes again stops nothing."""
        cancellation = CancellationId(f"C-1-{number}")
        stopped = self.goods.stop(cancellation, units)
        if cancellation in self.cancellations:
            assert stopped == {}
            return
        self.cancellations.add(cancellation)
        assert Counter(stopped) == Counter(units) & self.in_warehouse
        self.stopped += Counter(stopped)

    @rule()
    def stop_all(self) -> None:
        left = self.in_warehouse
        self.goods.stop_all()
        self.stopped += left

    @rule(number=st.integers(1, 3), is_lifted=st.booleans())
    def hold_or_lift(self, number: int, is_lifted: bool) -> None:
        """A lift may arrive before its hold, and both may come twice."""
        hold = HoldId(f"H-1-{number}")
        status = self.holds.get(hold)
        if is_lifted:
            self.goods.lift(hold)
            self.holds[hold] = "too_late" if status == "too_late" else "lifted"
        else:
            self.goods.hold(hold, "fraud_risk")
            self.holds[hold] = status or ("active" if self.in_warehouse else "too_late")

    @rule(units=some_units)
    def lose(self, units: dict[Sku, int]) -> None:
        self.steps += 1
        refusal = None if Counter(units) <= self.with_buyer() else ReturnAsked
        self.send(lambda: self.goods.lose(ShipmentId(f"S-1-{self.steps}"), units), refusal, self.goods)
        self.lost += Counter() if refusal else Counter(units)

    @rule(target=returns, units=some_units)
    def request(self, units: dict[Sku, int]) -> Box | None:
        """Request a return as the command does."""
        id = ReturnId(f"T-1-{self.goods.returns + 1}")
        refusal = None if Counter(units) <= self.with_buyer() else NothingLeft
        self.send(lambda: self.goods.ask_return(id, units), refusal, self.goods)
        if refusal:
            return None
        lines = [LineToReturn(sku, sku.title(), n, "other", by_right=False) for sku, n in sorted(units.items())]
        self.boxes.append(Box(Return.request(id, ORDER, lines), units))
        return self.boxes[-1]

    @rule(box=returns, is_approved=st.booleans())
    def decide(self, box: Box | None, is_approved: bool) -> None:
        if box is None:
            return
        refusal = None if box.status == REQUESTED else NotAllowed
        do = (lambda: box.return_.approve(SEND_BY)) if is_approved else (lambda: box.return_.refuse("used"))
        self.send(do, refusal, box.return_)
        if not refusal:
            box.status = APPROVED if is_approved else REFUSED
            if not is_approved:
                self.goods.drop_return(ReturnId(box.return_.id), box.return_.quantities)
                box.expected = Counter()

    @rule(box=returns, units=some_units, how=st.sampled_from(DISPOSITIONS))
    def receive(self, box: Box | None, units: dict[Sku, int], how: str) -> None:
        if box is None:
            return
        units = {sku: n for sku, n in units.items() if sku in box.asked}
        if not units:
            return
        lines = [ReceivedLine(sku, n, how) for sku, n in units.items()]
        refusal: type[Exception] | None = None if box.status in (APPROVED, RECEIVED) else NotAllowed
        if not refusal and not Counter(units) <= box.expected:
            refusal = NotThatManyExpected
        missing: dict[Sku, int] = {}
        self.send(lambda: missing.update(box.return_.receive(lines)), refusal, box.return_)
        if refusal:
            return
        assert missing == (units if how == "missing" else {})
        if missing:
            self.goods.drop_return(ReturnId(box.return_.id), missing)
        box.expected -= Counter(units)
        box.came[how] += Counter(units)
        box.status, box.receipts = RECEIVED, box.receipts + 1
        box.unsettled.append(f"{box.return_.id}-{box.receipts}")

    @rule(box=returns)
    def settle(self, box: Box | None) -> None:
        """Billing settles a receipt, and says so twice."""
        if box is None or not box.unsettled:
            return
        receipt = ReceiptId(box.unsettled.pop())
        for _ in range(2):
            box.return_.settle(receipt, Money("1.00", "USD"))
        if not box.unsettled and not box.expected:
            box.status = CLOSED

    @rule(box=returns)
    def lapse(self, box: Box | None) -> None:
        if box is None or box.status not in (APPROVED, RECEIVED):
            return
        lapsed = box.return_.lapse()
        assert Counter(lapsed) == box.expected
        if lapsed:
            self.goods.drop_return(ReturnId(box.return_.id), lapsed)
            box.expected = Counter()
            box.status = box.status if box.unsettled else CLOSED

    @invariant()
    def goods_equal_the_model(self) -> None:
        for line in self.goods.lines:
            sku = Sku(line.sku)
            assert (line.left, line.dispatched, line.stopped) == (
                self.in_warehouse[sku],
                self.sent[sku],
                self.stopped[sku],
            )
            assert (line.lost, line.return_asked) == (self.lost[sku], self.in_returns[sku])
            assert line.left + line.stopped + line.lost + line.return_asked + line.returnable == self.ordered[sku]
        assert {id: hold["status"] for id, hold in (self.goods.holds or {}).items()} == self.holds
        assert bool(self.goods.active_holds) == self.is_held()

    @invariant()
    def returns_equal_the_model(self) -> None:
        for box in self.boxes:
            found = box.return_
            assert found.status == box.status
            if box.status != REFUSED:
                assert Counter(found.expected) == box.expected
            for how, column in COLUMN_OF.items():
                counted = {line.sku: getattr(line, column) for line in found.lines if getattr(line, column)}
                assert counted == box.came[how]
            assert found.is_settled == (not box.unsettled)

    @invariant()
    def all_equal_their_histories(self) -> None:
        assert_is_its_history(self.goods)
        for box in self.boxes:
            assert_is_its_history(box.return_)


TestGoods = GoodsMachine.TestCase
if settings.get_current_profile_name() != "chaos":
    TestGoods.settings = settings(max_examples=40, stateful_step_count=30)
