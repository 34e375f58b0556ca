"""A reservation holds all goods of an order or none, and ends exactly once."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.aggregates.aggregate import Aggregate
from integration.contracts.inventory import Shortage
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.states import NotAllowed
from inventory import events
from inventory.events import ReservedLine
from inventory.models import RESERVATION_LIFE, Reservation

ORDER, SHIPMENT = OrderNumber("R-1"), ShipmentId("S-1-1")
LINES = [ReservedLine(Sku("MUG"), 2), ReservedLine(Sku("LAMP"), 1)]


def _held() -> Reservation:
    return Reservation.hold(ORDER, LINES)


def _refused() -> Reservation:
    return Reservation.refuse(ORDER, LINES, [Shortage(Sku("LAMP"), 1, 0)])


def _after(*messages: str) -> Callable[[], Reservation]:
    def create() -> Reservation:
        reservation = _held()
        for message in messages:
            SEND[message](reservation)
        return reservation

    return create


SEND: dict[str, Callable[[Reservation], bool]] = {
    "commit": lambda reservation: reservation.commit(),
    "release": lambda reservation: reservation.release("by_buyer"),
    "expire": lambda reservation: reservation.expire(),
    "ship": lambda reservation: reservation.ship(SHIPMENT),
}
IN_STATE: dict[str, Callable[[], Reservation]] = {
    "held": _held,
    "committed": _after("commit"),
    "shipped": _after("commit", "ship"),
    "released": _after("release"),
    "expired": _after("expire"),
    "refused": _refused,
}
FINAL_STATES = {"released", "expired", "shipped", "refused"}


def test_the_tests_cover_the_whole_state_table() -> None:
    assert set(IN_STATE) == set(RESERVATION_LIFE.states)
    assert set(SEND) == set(RESERVATION_LIFE.messages)


@pytest.mark.parametrize("state", IN_STATE)
def test_a_reservation_reaches_each_state_by_its_own_events(state: str) -> None:
    assert IN_STATE[state]().status == state


@pytest.mark.parametrize("message", SEND)
@pytest.mark.parametrize("state", IN_STATE)
def test_every_message_in_every_state_does_what_the_table_says(
    state: str, message: str, judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None]
) -> None:
    reservation = IN_STATE[state]()

    judge_by_table(reservation, message, lambda: SEND[message](reservation))


@given(st.lists(st.sampled_from(sorted(SEND)), max_size=12))
def test_goods_are_freed_or_shipped_at_most_once_for_any_sequence_of_messages(messages: list[str]) -> None:
    reservation, moved = _held(), 0
    for message in messages:
        try:
            accepted = SEND[message](reservation)
        except (NotAllowed, NotYet):
            accepted = False
        moved += accepted and message != "commit"

    assert moved == (reservation.status in FINAL_STATES)


def test_a_reservation_has_the_lines_of_its_order() -> None:
    assert [(line.sku, line.quantity) for line in _held().lines] == [("MUG", 2), ("LAMP", 1)]


def test_a_refusal_records_the_lines_and_the_shortages() -> None:
    refused = _refused()

    assert refused.recorded_events[0].event == events.ReservationRefused(
        order=ORDER, lines=tuple(LINES), shortages=(Shortage(Sku("LAMP"), 1, 0),)
    )


def test_shipping_before_the_order_is_confirmed_is_too_early() -> None:
    with pytest.raises(NotYet, match="reservation for R-1 is still held: too early to ship"):
        _held().ship(SHIPMENT)


def test_an_expired_or_refused_reservation_cannot_be_committed() -> None:
    for state in ("expired", "refused"):
        with pytest.raises(NotAllowed):
            IN_STATE[state]().commit()
