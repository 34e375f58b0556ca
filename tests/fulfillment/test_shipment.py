"""What left the house cannot be stopped, and what is stopped never leaves."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment import events
from fulfillment.events import LineToPack
from fulfillment.models import SHIPMENT_LIFE, Shipment
from integration.aggregates.aggregate import Aggregate
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.states import NotAllowed

ORDER, ID = OrderNumber("R-1"), ShipmentId("S-1-1")
LONDON = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
LINES = [LineToPack(Sku("MUG"), "Mug", 2), LineToPack(Sku("LAMP"), "Lamp", 1)]


def _after(*messages: str) -> Callable[[], Shipment]:
    def bring() -> Shipment:
        shipment = Shipment.arrange(ID, ORDER, LONDON, LINES)
        for message in messages:
            SEND[message](shipment)
        return shipment

    return bring


SEND: dict[str, Callable[[Shipment], None]] = {
    "dispatch": lambda shipment: shipment.dispatch("DHL", "JD0143"),
    "deliver": lambda shipment: shipment.deliver(),
    "stop": lambda shipment: shipment.stop("by_buyer"),
}
BROUGHT_TO: dict[str, Callable[[], Shipment]] = {
    "arranged": _after(),
    "dispatched": _after("dispatch"),
    "delivered": _after("dispatch", "deliver"),
    "cancelled": _after("stop"),
}


def _recorded(shipment: Shipment) -> list[type]:
    return [type(recorded.event) for recorded in shipment.recorded_events]


def test_the_walk_covers_the_whole_table() -> None:
    assert set(BROUGHT_TO) == set(SHIPMENT_LIFE.states)
    assert set(SEND) == set(SHIPMENT_LIFE.messages)


@pytest.mark.parametrize("state", BROUGHT_TO)
def test_a_shipment_is_brought_to_each_state_by_its_own_events(state: str) -> None:
    assert BROUGHT_TO[state]().status == state


@pytest.mark.parametrize("message", SEND)
@pytest.mark.parametrize("state", BROUGHT_TO)
def test_every_message_in_every_state_does_what_the_table_says(
    state: str, message: str, judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None]
) -> None:
    shipment = BROUGHT_TO[state]()

    judge_by_table(shipment, message, lambda: SEND[message](shipment))


@given(st.lists(st.sampled_from(sorted(SEND)), max_size=10))
def test_a_shipment_leaves_or_is_stopped_never_both(messages: list[str]) -> None:
    shipment = BROUGHT_TO["arranged"]()
    for message in messages:
        with suppress(NotAllowed):
            SEND[message](shipment)

    happened = _recorded(shipment)
    left, stopped = happened.count(events.ShipmentDispatched), happened.count(events.ShipmentCancelled)
    assert left + stopped <= 1
    assert happened.count(events.ShipmentDelivered) <= left
    assert (events.CancellationRefused in happened) <= left


def test_a_shipment_knows_to_whom_and_of_what_it_is() -> None:
    shipment = BROUGHT_TO["arranged"]()

    assert Address(**shipment.recipient) == LONDON
    assert [(line.sku, line.name, line.quantity) for line in shipment.lines] == [("MUG", "Mug", 2), ("LAMP", "Lamp", 1)]


def test_all_of_a_shipment_leaves_at_once() -> None:
    shipment = BROUGHT_TO["dispatched"]()

    assert shipment.recorded_events[-1].event == events.ShipmentDispatched(
        ID, ORDER, "DHL", "JD0143", {Sku("MUG"): 2, Sku("LAMP"): 1}
    )
    assert (shipment.carrier, shipment.tracking_number) == ("DHL", "JD0143")


@pytest.mark.parametrize("state", ["dispatched", "delivered"])
def test_whoever_asks_too_late_is_told_so_each_time(state: str) -> None:
    shipment = BROUGHT_TO[state]()

    shipment.stop("by_buyer")
    shipment.stop("by_buyer")

    assert _recorded(shipment)[-2:] == [events.CancellationRefused] * 2
    assert shipment.status == state


def test_a_shipment_is_stopped_once() -> None:
    shipment = BROUGHT_TO["arranged"]()

    shipment.stop("by_buyer")
    shipment.stop("by_operator")

    assert shipment.recorded_events[-1].event == events.ShipmentCancelled(ID, ORDER, "by_buyer")
