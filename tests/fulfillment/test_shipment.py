"""The rules of a shipment: a dispatched one is never cancelled, a cancelled one is never dispatched."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment import events
from fulfillment.events import LineToPack
from fulfillment.models import SCANS, SHIPMENT_LIFE, NotInShipment, Shipment, TooManyUnits
from integration.aggregates.aggregate import Aggregate
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import Refused
from integration.domain.identifiers import CancellationId, OrderNumber, ShipmentId, Sku
from integration.domain.states import NotAllowed

ORDER, ID, CANCELLATION = OrderNumber("R-1"), ShipmentId("S-1-1"), CancellationId("C-1-1")
LONDON = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
NEXT_DOOR = Address("Ada Lovelace", "14 St James's Square", "London", "SW1Y 4JH", "GB")
LINES = [LineToPack(Sku("MUG"), "Mug", 2), LineToPack(Sku("LAMP"), "Lamp", 1)]


def _after(*messages: str) -> Callable[[], Shipment]:
    def make() -> Shipment:
        shipment = Shipment.arrange(ID, ORDER, LONDON, LINES)
        for message in messages:
            SEND[message](shipment)
        return shipment

    return make


def _scan(status: str, shipment: Shipment) -> None:
    """A scan that is later than all others."""
    shipment.scan(f"e{len(shipment.all_scans)}", status, clock.now())


SEND: dict[str, Callable[[Shipment], None]] = {
    "dispatch": lambda shipment: shipment.dispatch("DHL", "JD0143"),
    "request_label": lambda shipment: shipment.request_label("sandbox", "sandbox_ok", shipment.quantities),
    "deliver": lambda shipment: shipment.deliver(),
    "fail": lambda shipment: shipment.fail("nobody there"),
    "return_to_sender": lambda shipment: shipment.return_to_sender("refused"),
    "lose": lambda shipment: shipment.lose(),
    "resolve": lambda shipment: shipment.resolve("refund"),
    **{f"scan_{status}": partial(_scan, status) for status in SCANS},
    "stop": lambda shipment: shipment.stop("by_buyer"),
    "correct_recipient": lambda shipment: shipment.correct_recipient(1, NEXT_DOOR),
    "take_out": lambda shipment: shipment.take_out(CANCELLATION, {Sku("MUG"): 1}),
    "take_out_all": lambda shipment: shipment.take_out(CANCELLATION, {Sku("MUG"): 2, Sku("LAMP"): 1}),
}
IN_STATE: dict[str, Callable[[], Shipment]] = {
    "arranged": _after(),
    "dispatched": _after("dispatch"),
    "in_transit": _after("dispatch", "scan_in_transit"),
    "failed": _after("dispatch", "fail"),
    "returned": _after("dispatch", "return_to_sender"),
    "lost": _after("dispatch", "lose"),
    "delivered": _after("dispatch", "deliver"),
    "cancelled": _after("stop"),
}


def _recorded(shipment: Shipment) -> list[type]:
    return [type(recorded.event) for recorded in shipment.recorded_events]


def test_the_tests_cover_the_whole_state_table() -> None:
    assert set(IN_STATE) == set(SHIPMENT_LIFE.states)
    assert set(SEND) == set(SHIPMENT_LIFE.messages)


@pytest.mark.parametrize("state", IN_STATE)
def test_a_shipment_reaches_each_state_by_its_own_events(state: str) -> None:
    assert IN_STATE[state]().status == state


@pytest.mark.parametrize("message", SEND)
@pytest.mark.parametrize("state", IN_STATE)
def test_every_message_in_every_state_does_what_the_table_says(
    state: str, message: str, judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None]
) -> None:
    shipment = IN_STATE[state]()

    judge_by_table(shipment, message, lambda: SEND[message](shipment))


@given(st.lists(st.sampled_from(sorted(SEND)), max_size=10))
def test_a_shipment_is_dispatched_or_cancelled_never_both(messages: list[str]) -> None:
    shipment = IN_STATE["arranged"]()
    for message in messages:
        with suppress(Refused):
            SEND[message](shipment)

    happened = _recorded(shipment)
    dispatched, cancelled = happened.count(events.ShipmentDispatched), happened.count(events.ShipmentCancelled)
    assert dispatched + cancelled <= 1
    assert (events.ShipmentDelivered in happened) <= dispatched
    assert (events.CancellationRefused in happened) <= dispatched


def test_a_shipment_has_a_recipient_and_lines() -> None:
    shipment = IN_STATE["arranged"]()

    assert Address(**shipment.recipient) == LONDON
    assert [(line.sku, line.name, line.quantity) for line in shipment.lines] == [("MUG", "Mug", 2), ("LAMP", "Lamp", 1)]


def test_a_shipment_is_dispatched_with_all_its_lines() -> None:
    shipment = IN_STATE["dispatched"]()

    assert shipment.recorded_events[-1].event == events.ShipmentDispatched(
        shipment=ID, order=ORDER, carrier="DHL", tracking_number="JD0143", quantities={Sku("MUG"): 2, Sku("LAMP"): 1}
    )
    assert (shipment.carrier, shipment.tracking_number) == ("DHL", "JD0143")


@pytest.mark.parametrize("state", ["dispatched", "delivered"])
def test_each_cancellation_after_the_dispatch_is_refused(state: str) -> None:
    shipment = IN_STATE[state]()

    shipment.stop("by_buyer")
    shipment.stop("by_buyer")

    assert _recorded(shipment)[-2:] == [events.CancellationRefused] * 2
    assert shipment.status == state


def test_a_shipment_is_cancelled_once() -> None:
    shipment = IN_STATE["arranged"]()

    shipment.stop("by_buyer")
    shipment.stop("by_operator")

    assert shipment.recorded_events[-1].event == events.ShipmentCancelled(shipment=ID, order=ORDER, reason="by_buyer")


def test_a_shipment_leaves_with_a_part_of_its_lines() -> None:
    shipment = IN_STATE["arranged"]()

    assert shipment.dispatch("DHL", "JD0143", [(Sku("MUG"), 1)]) == {"MUG": 1}

    assert (shipment.status, shipment.quantities) == ("dispatched", {"MUG": 1})
    assert [(line.sku, line.quantity) for line in shipment.lines] == [("MUG", 1), ("LAMP", 0)]


def test_a_sku_may_be_named_twice() -> None:
    shipment = IN_STATE["arranged"]()

    assert shipment.dispatch("DHL", "JD0143", [(Sku("MUG"), 1), (Sku("LAMP"), 1), (Sku("MUG"), 1)]) == {
        "MUG": 2,
        "LAMP": 1,
    }


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        ([("MUG", 3)], TooManyUnits),
        ([("MUG", 1), ("MUG", 2)], TooManyUnits),
        ([("MUG", 1), ("BRICK", 1)], NotInShipment),
    ],
)
def test_nothing_leaves_that_is_not_in_the_shipment(lines: list[tuple[str, int]], refusal: type[Exception]) -> None:
    shipment = IN_STATE["arranged"]()

    with pytest.raises(refusal):
        shipment.dispatch("DHL", "JD0143", [(Sku(sku), quantity) for sku, quantity in lines])

    assert (shipment.status, shipment.quantities) == ("arranged", {"MUG": 2, "LAMP": 1})


def test_what_is_wrong_with_a_shipment_that_left_is_its_state() -> None:
    with pytest.raises(NotAllowed):
        IN_STATE["dispatched"]().dispatch("DHL", "JD0143", [(Sku("BRICK"), 1)])
