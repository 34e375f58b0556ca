"""Nothing is promised that is not there, and no movement goes unrecorded."""

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


def test_a_place_on_the_shelf_begins_empty() -> None:
    item = _mugs()

    assert (item.on_hand, item.reserved, item.available, item.level) == (0, 0, 0, Level.OUT)


def test_available_is_what_nobody_was_promised() -> None:
    assert _mugs(10, 4).available == 6


def test_the_last_one_can_be_promised_and_one_more_cannot() -> None:
    item = _mugs(10, 9)

    item.set_aside(ORDER, 1)
    with pytest.raises(NotThatMany):
        item.set_aside(ORDER, 1)

    assert (item.reserved, item.available) == (10, 0)


def test_a_promise_taken_back_is_available_again() -> None:
    item = _mugs(10, 4)

    item.free(ORDER, 4)

    assert (item.on_hand, item.reserved, item.available) == (10, 0, 10)


def test_what_is_shipped_is_gone_from_the_shelf_and_from_the_promises() -> None:
    item = _mugs(10, 4)

    item.ship(ORDER, 4)

    assert (item.on_hand, item.reserved, item.available) == (6, 0, 6)


@pytest.mark.parametrize("quantity", [0, -1, MAX_QUANTITY + 1])
def test_a_receipt_is_of_something_and_not_absurd(quantity: int) -> None:
    item = _mugs(1)

    with pytest.raises(QuantityOutOfBounds) as refusal:
        item.receive(quantity, "")

    assert (item.on_hand, refusal.value.pointer) == (1, "/quantity")


@pytest.mark.parametrize("delta", [0, MAX_QUANTITY + 1, -MAX_QUANTITY - 1])
def test_an_adjustment_is_of_something_and_not_absurd(delta: int) -> None:
    item = _mugs(1)

    with pytest.raises(NothingAdjusted) as refusal:
        item.adjust(delta, "counted")

    assert (item.on_hand, refusal.value.pointer) == (1, "/delta")


def test_promised_goods_are_not_adjusted_away() -> None:
    item = _mugs(10, 4)

    with pytest.raises(ReservedGoods):
        item.adjust(-7, "counted")

    item.adjust(-6, "counted")
    assert (item.on_hand, item.available) == (4, 0)


def test_somebody_may_find_more_than_was_known() -> None:
    item = _mugs(10)

    item.adjust(3, "found behind the shelf")

    assert item.on_hand == 13


@pytest.mark.parametrize(
    ("available", "level"),
    [(0, Level.OUT), (1, Level.LOW), (5, Level.LOW), (6, Level.IN_STOCK), (10**9, Level.IN_STOCK)],
)
def test_the_level_follows_from_what_is_available(available: int, level: Level) -> None:
    assert _mugs(available).level == level


def test_a_level_that_changes_is_told_with_its_place_in_the_history() -> None:
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


def test_a_level_that_stays_is_not_told() -> None:
    item = _mugs(100)
    item.set_aside(ORDER, 10)
    item.ship(ORDER, 10)

    assert len(_levels(item)) == 1


def test_shipping_promised_goods_changes_no_level() -> None:
    item = _mugs(10, 10)

    item.ship(ORDER, 10)

    assert [event.level for event in _levels(item)] == ["in_stock", "out"]


MOVES = st.tuples(st.sampled_from(["receive", "adjust", "set_aside", "free", "ship"]), st.integers(-20, 20))


@given(st.lists(MOVES, max_size=60))
def test_whatever_is_moved_the_shelf_and_the_books_agree(moves: list[tuple[str, int]]) -> None:
    item, promised = _mugs(), 0
    for move, quantity in moves:
        try:
            if move == "receive":
                item.receive(quantity, "")
            elif move == "adjust":
                item.adjust(quantity, "")
            elif move == "set_aside" and quantity > 0:
                item.set_aside(ORDER, quantity)
                promised += quantity
            elif 0 < quantity <= promised:
                promised -= quantity
                (item.free if move == "free" else item.ship)(ORDER, quantity)
        except DomainError:
            pass
        assert 0 <= item.reserved == promised <= item.on_hand

    told = [recorded.event for recorded in item.recorded_events]
    received = sum(event.quantity for event in told if isinstance(event, events.StockReceived))
    adjusted = sum(event.delta for event in told if isinstance(event, events.StockAdjusted))
    shipped = sum(event.quantity for event in told if isinstance(event, events.StockShipped))
    assert item.on_hand == received + adjusted - shipped
    levels = _levels(item)
    assert (levels[-1].level if levels else "out") == item.level
