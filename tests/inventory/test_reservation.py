"""A reservation holds all goods of an order or none, its goods leave once, and it ends exactly once."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.aggregates.aggregate import Aggregate
from integration.contracts.inventory import Shortage
from integration.domain.errors import NotYet
from integration.domain.identifiers import CancellationId, OrderNumber, ReceiptId, ShipmentId, Sku
from integration.domain.states import NotAllowed
from inventory import events
from inventory.events import ReservedLine, ReturnedLine
from inventory.models import RESERVATION_LIFE, NotReserved, Reservation

ORDER, SHIPMENT, CANCELLATION = OrderNumber("R-1"), ShipmentId("S-1-1"), CancellationId("C-1-1")
LINES = [ReservedLine(Sku("MUG"), 2), ReservedLine(Sku("LAMP"), 1)]
ONE_MUG, ANOTHER_SHIPMENT = [ReservedLine(Sku("MUG"), 1)], ShipmentId("S-1-2")


def _release_rest(reservation: Reservation) -> list[ReservedLine]:
    """Cancel all that is left after one mug was shipped."""
    if reservation.status != "committed":
        reservation.accepts("release_rest")
        return []
    moved = [*reservation.ship(ANOTHER_SHIPMENT, ONE_MUG)]
    moved += reservation.release_units(CANCELLATION, reservation.open_lines)
    units: Counter[Sku] = sum((Counter({line.sku: line.quantity}) for line in moved), Counter())
    return [ReservedLine(sku, quantity) for sku, quantity in units.items()]


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


def _released_after_a_part_left() -> Reservation:
    reservation = _held()
    reservation.commit()
    reservation.ship(ShipmentId("S-1-8"), ONE_MUG)
    reservation.release("by_buyer")
    return reservation


def _take_back(reservation: Reservation) -> None:
    """Take back a mug that left before."""
    if reservation.status == "committed":
        reservation.ship(ShipmentId("S-1-9"), ONE_MUG)
    reservation.take_back(ReceiptId("R-1-1-1"), [ReturnedLine(Sku("MUG"), 1, "restock")])


SEND: dict[str, Callable[[Reservation], object]] = {
    "commit": lambda reservation: reservation.commit(),
    "release": lambda reservation: reservation.release("by_buyer"),
    "expire": lambda reservation: reservation.expire(),
    "ship": lambda reservation: reservation.ship(SHIPMENT, reservation.open_lines or LINES),
    "take_back": lambda reservation: _take_back(reservation),
    "ship_in_part": lambda reservation: reservation.ship(ANOTHER_SHIPMENT, ONE_MUG),
    "release_in_part": lambda reservation: reservation.release_units(CANCELLATION, ONE_MUG),
    "release_rest": _release_rest,
}
IN_STATE: dict[str, Callable[[], Reservation]] = {
    "held": _held,
    "committed": _after("commit"),
    "shipped": _after("commit", "ship"),
    "released": _released_after_a_part_left,
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


@given(st.lists(st.sampled_from(sorted({*SEND} - {"take_back"})), max_size=12))
def test_goods_are_freed_or_shipped_at_most_once_for_any_sequence_of_messages(messages: list[str]) -> None:
    reservation, moved = _held(), Counter[str]()
    for message in messages:
        try:
            done = SEND[message](reservation)
        except (NotAllowed, NotYet):
            continue
        if message != "commit":
            moved.update({line.sku: line.quantity for line in done})  # type: ignore[attr-defined]

    left = Counter({line.sku: line.quantity for line in reservation.open_lines})
    assert moved + left == Counter({line.sku: line.quantity for line in LINES})
    assert (not left) == (reservation.status in FINAL_STATES)


@given(st.permutations(range(6)), st.data())
def test_shipments_lead_to_the_same_state_in_any_order_and_number(order: list[int], data: st.DataObject) -> None:
    parts = [
        [ReservedLine(Sku("MUG"), 1)],
        [ReservedLine(Sku("MUG"), 2), ReservedLine(Sku("LAMP"), 3)],
        [ReservedLine(Sku("LAMP"), 1), ReservedLine(Sku("ATLAS"), 1)],
    ]
    shipments = [(ShipmentId(f"S-1-{n + 1}"), lines) for n, lines in enumerate(parts)]
    reserved = [ReservedLine(Sku("MUG"), 3), ReservedLine(Sku("LAMP"), 4), ReservedLine(Sku("ATLAS"), 1)]
    reservation = Reservation.hold(ORDER, reserved)
    reservation.commit()

    moved = Counter[str]()
    for shipment, lines in (shipments[n % 3] for n in order):
        moved.update({line.sku: line.quantity for line in reservation.ship(shipment, lines)})

    assert moved == Counter({line.sku: line.quantity for line in reserved})
    assert (reservation.status, reservation.open_lines) == ("shipped", [])


def test_what_is_left_after_a_part_is_shipped_is_still_reserved() -> None:
    reservation = _after("commit", "ship_in_part")()

    assert (reservation.status, reservation.open_lines) == ("committed", [ReservedLine(Sku("MUG"), 1), LINES[1]])


def test_a_shipment_counts_once() -> None:
    reservation = _after("commit", "ship_in_part")()

    assert reservation.ship(ANOTHER_SHIPMENT, ONE_MUG) == []
    assert reservation.open_lines == [ReservedLine(Sku("MUG"), 1), LINES[1]]


@pytest.mark.parametrize("wrong", [ReservedLine(Sku("MUG"), 2), ReservedLine(Sku("ATLAS"), 1)])
def test_no_more_is_shipped_than_is_still_reserved(wrong: ReservedLine) -> None:
    reservation = _after("commit", "ship_in_part")()
    before = reservation.version

    with pytest.raises(NotReserved):
        reservation.ship(SHIPMENT, [wrong])

    assert reservation.version == before


def test_releasing_frees_what_is_still_reserved() -> None:
    assert _after("commit", "ship_in_part")().release("by_operator") == [ReservedLine(Sku("MUG"), 1), LINES[1]]


def test_an_older_history_ends_with_all_its_goods_shipped() -> None:
    """What older code recorded names no lines: it shipped everything at once."""
    reservation = _after("commit")()
    reservation.record(events.ReservationShipped(order=ORDER, shipment=SHIPMENT))

    assert (reservation.status, reservation.open_lines, reservation.ship(SHIPMENT, LINES)) == ("shipped", [], [])


def test_a_reservation_has_the_lines_of_its_order() -> None:
    assert [(line.sku, line.quantity) for line in _held().lines] == [("MUG", 2), ("LAMP", 1)]


def test_a_refusal_records_the_lines_and_the_shortages() -> None:
    refused = _refused()

    assert refused.recorded_events[0].event == events.ReservationRefused(
        order=ORDER, lines=tuple(LINES), shortages=(Shortage(Sku("LAMP"), 1, 0),)
    )


def test_shipping_before_the_order_is_confirmed_is_too_early() -> None:
    with pytest.raises(NotYet, match="reservation for R-1 is still held: too early to ship"):
        _held().ship(SHIPMENT, LINES)
    with pytest.raises(NotYet, match="too early to ship in part"):
        _held().ship(SHIPMENT, ONE_MUG)


def test_an_expired_or_refused_reservation_cannot_be_committed() -> None:
    for state in ("expired", "refused"):
        with pytest.raises(NotAllowed):
            IN_STATE[state]().commit()
