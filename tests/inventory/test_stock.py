"""A stock item never reserves more units than are on hand, and records every movement as an event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.errors import DomainError
from integration.domain.identifiers import OrderNumber, Sku
from inventory import events
from inventory.models import (
    MAX_QUANTITY,
    Level,
    NothingAdjusted,
    NotInQuarantine,
    NotThatMany,
    QuantityOutOfBounds,
    ReservedGoods,
    StockItem,
)

MUG, ORDER = Sku("MUG"), OrderNumber("R-1")


def _mugs(on_hand: int = 0, reserved: int = 0, reorder_point: int = 5) -> StockItem:
    item = StockItem.open(MUG, reorder_point)
    if on_hand:
        item.receive(on_hand, "")
    if reserved:
        item.set_aside(ORDER, reserved)
    return item


def _levels(item: StockItem) -> list[events.StockLevelChanged]:
    return [recorded.event for recorded in item.recorded_events if isinstance(recorded.event, events.StockLevelChanged)]


def test_a_new_stock_item_has_no_units() -> None:
    item = _mugs()

    assert (item.on_hand, item.reserved, item.available, item.level) == (0, 0, 0, Level.OUT)


def test_available_units_are_on_hand_and_not_reserved() -> None:
    assert _mugs(10, 4).available == 6


def test_the_last_unit_can_be_reserved_but_not_one_more() -> None:
    item = _mugs(10, 9)

    item.set_aside(ORDER, 1)
    with pytest.raises(NotThatMany):
        item.set_aside(ORDER, 1)

    assert (item.reserved, item.available) == (10, 0)


def test_freed_units_are_available_again() -> None:
    item = _mugs(10, 4)

    item.free(ORDER, 4)

    assert (item.on_hand, item.reserved, item.available) == (10, 0, 10)


def test_shipped_units_are_neither_on_hand_nor_reserved() -> None:
    item = _mugs(10, 4)

    item.ship(ORDER, 4)

    assert (item.on_hand, item.reserved, item.available) == (6, 0, 6)


@pytest.mark.parametrize("quantity", [0, -1, MAX_QUANTITY + 1])
def test_a_received_quantity_out_of_bounds_is_refused(quantity: int) -> None:
    item = _mugs(1)

    with pytest.raises(QuantityOutOfBounds) as refusal:
        item.receive(quantity, "")

    assert (item.on_hand, refusal.value.pointer) == (1, "/quantity")


@pytest.mark.parametrize("delta", [0, MAX_QUANTITY + 1, -MAX_QUANTITY - 1])
def test_an_adjustment_out_of_bounds_is_refused(delta: int) -> None:
    item = _mugs(1)

    with pytest.raises(NothingAdjusted) as refusal:
        item.adjust(delta, "counted")

    assert (item.on_hand, refusal.value.pointer) == (1, "/delta")


def test_an_adjustment_cannot_remove_reserved_units() -> None:
    item = _mugs(10, 4)

    with pytest.raises(ReservedGoods):
        item.adjust(-7, "counted")

    item.adjust(-6, "counted")
    assert (item.on_hand, item.available) == (4, 0)


def test_an_adjustment_can_add_units() -> None:
    item = _mugs(10)

    item.adjust(3, "found behind the shelf")

    assert item.on_hand == 13


@pytest.mark.parametrize(
    ("available", "level"),
    [(0, Level.OUT), (1, Level.LOW), (5, Level.LOW), (6, Level.IN_STOCK), (10**9, Level.IN_STOCK)],
)
def test_the_level_depends_on_the_available_units(available: int, level: Level) -> None:
    assert _mugs(available).level == level


def test_a_changed_level_is_recorded_with_the_version_of_its_event() -> None:
    item = _mugs(10)
    item.set_aside(ORDER, 5)
    item.set_aside(ORDER, 5)
    item.free(ORDER, 10)

    assert [(event.level, event.available, event.sequence) for event in _levels(item)] == [
        ("in_stock", 10, 3),
        ("low", 5, 5),
        ("out", 0, 7),
        ("in_stock", 10, 9),
    ]
    for recorded in item.recorded_events:
        if isinstance(recorded.event, events.StockLevelChanged):
            assert recorded.event.sequence == recorded.metadata.version


def test_an_unchanged_level_is_not_recorded() -> None:
    item = _mugs(100)
    item.set_aside(ORDER, 10)
    item.ship(ORDER, 10)

    assert len(_levels(item)) == 1


def test_shipping_reserved_units_does_not_change_the_level() -> None:
    item = _mugs(10, 10)

    item.ship(ORDER, 10)

    assert [event.level for event in _levels(item)] == ["in_stock", "out"]


def test_units_in_quarantine_are_neither_on_hand_nor_available() -> None:
    item = _mugs(10, 4)

    item.quarantine(6, "box damaged")

    assert (item.on_hand, item.reserved, item.available, item.quarantined) == (4, 4, 0, 6)
    assert item.level == Level.OUT
    with pytest.raises(NotThatMany):
        item.set_aside(ORDER, 1)


def test_reserved_units_cannot_be_quarantined() -> None:
    item = _mugs(10, 4)

    with pytest.raises(NotThatMany):
        item.quarantine(7, "box damaged")

    assert (item.on_hand, item.quarantined) == (10, 0)


def test_units_leave_quarantine_for_sale_or_for_good() -> None:
    item = _mugs(10)
    item.quarantine(5, "box damaged")

    item.clear(2, "good")
    item.write_off(3, "broken")

    assert (item.on_hand, item.available, item.quarantined) == (7, 7, 0)


@pytest.mark.parametrize("leave", ["clear", "write_off"])
def test_no_more_units_leave_quarantine_than_are_in_it(leave: str) -> None:
    item = _mugs(10)
    item.quarantine(2, "box damaged")

    with pytest.raises(NotInQuarantine):
        getattr(item, leave)(3, "looked at")

    assert (item.on_hand, item.quarantined) == (8, 2)


@pytest.mark.parametrize("move", ["quarantine", "clear", "write_off"])
@pytest.mark.parametrize("quantity", [0, -1, MAX_QUANTITY + 1])
def test_a_quantity_out_of_bounds_is_refused_for_quarantine(move: str, quantity: int) -> None:
    item = _mugs(5)
    item.quarantine(2, "box damaged")

    with pytest.raises(QuantityOutOfBounds) as refusal:
        getattr(item, move)(quantity, "looked at")

    assert (item.on_hand, item.quarantined, refusal.value.pointer) == (3, 2, "/quantity")


MOVES = st.tuples(
    st.sampled_from(["receive", "adjust", "set_aside", "free", "ship", "quarantine", "clear", "write_off"]),
    st.integers(-20, 20),
)


@given(st.lists(MOVES, max_size=60))
def test_the_quantities_equal_the_sum_of_the_movements(moves: list[tuple[str, int]]) -> None:
    item, reserved = _mugs(), 0
    for move, quantity in moves:
        try:
            if move == "receive":
                item.receive(quantity, "")
            elif move in ("adjust", "quarantine", "clear", "write_off"):
                getattr(item, move)(quantity, "")
            elif move == "set_aside" and quantity > 0:
                item.set_aside(ORDER, quantity)
                reserved += quantity
            elif 0 < quantity <= reserved:
                reserved -= quantity
                (item.free if move == "free" else item.ship)(ORDER, quantity)
        except DomainError:
            pass
        assert 0 <= item.reserved == reserved <= item.on_hand
        assert item.quarantined >= 0

    recorded_events = [recorded.event for recorded in item.recorded_events]
    received = sum(event.quantity for event in recorded_events if isinstance(event, events.StockReceived))
    adjusted = sum(event.delta for event in recorded_events if isinstance(event, events.StockAdjusted))
    shipped = sum(event.quantity for event in recorded_events if isinstance(event, events.StockShipped))
    quarantined = sum(event.quantity for event in recorded_events if isinstance(event, events.StockQuarantined))
    cleared = sum(event.quantity for event in recorded_events if isinstance(event, events.StockCleared))
    written_off = sum(event.quantity for event in recorded_events if isinstance(event, events.StockWrittenOff))
    assert item.on_hand == received + adjusted - shipped - quarantined + cleared
    assert item.quarantined == quarantined - cleared - written_off
    levels = _levels(item)
    assert (levels[-1].level if levels else "out") == item.level
