"""A state table is complete, and gives exactly one response to each message in each state."""

from enum import Enum

import pytest

from billing.models import INVOICE_LIFE, PAYMENT_LIFE, PAYMENT_METHOD_LIFE, REFUND_LIFE
from fulfillment.models import RETURN_LIFE, SHIPMENT_LIFE
from integration.domain.errors import NotYet
from integration.domain.states import IGNORE, NOT_YET, REFUSE, STAY, NotAllowed, StateTable
from inventory.models import RESERVATION_LIFE
from ordering.models import ORDER_LIFE


class Light(Enum):
    RED = "red"
    WARMING_UP = "warming_up"
    GREEN = "green"


LIGHT = StateTable(
    Light,
    {
        "turn_on": {"red": "warming_up", "warming_up": IGNORE, "green": REFUSE},
        "shine": {"red": NOT_YET, "warming_up": "green", "green": STAY},
    },
)

LIVES = {
    "order": (ORDER_LIFE, {"returned", "cancelled"}),
    "reservation": (RESERVATION_LIFE, {"shipped", "released", "expired", "refused"}),
    "invoice": (INVOICE_LIFE, {"void"}),
    "payment": (PAYMENT_LIFE, {"succeeded"}),
    "payment method": (PAYMENT_METHOD_LIFE, {"removed"}),
    "refund": (REFUND_LIFE, {"settled"}),
    "return": (RETURN_LIFE, {"refused", "closed"}),
    "shipment": (SHIPMENT_LIFE, {"cancelled"}),
}
"""All state tables of the project with their final states."""


def test_a_transition_is_accepted() -> None:
    assert LIGHT.accepts("turn_on", "red", "light 1")


def test_a_message_that_does_not_change_the_state_can_be_accepted() -> None:
    assert LIGHT.accepts("shine", "green", "light 1")


def test_an_ignored_message_is_not_accepted() -> None:
    assert not LIGHT.accepts("turn_on", "warming_up", "light 1")


def test_a_refusal_names_the_object_the_state_and_the_message() -> None:
    with pytest.raises(NotAllowed, match="light 1 is green: cannot turn on"):
        LIGHT.accepts("turn_on", "green", "light 1")


def test_a_message_that_is_too_early_raises_not_yet() -> None:
    with pytest.raises(NotYet, match="light 1 is still red: too early to shine"):
        LIGHT.accepts("shine", "red", "light 1")


def test_the_table_says_why_a_state_does_not_act_upon_a_message_and_which_states_do() -> None:
    assert [LIGHT.why_not("turn_on", "red"), LIGHT.why_not("shine", "green")] == ["", ""]
    assert LIGHT.why_not("turn_on", "warming_up") == "it is warming up; possible only while red"
    assert LIGHT.why_not("shine", "red") == "it is red; possible only while warming up or green"
    assert ORDER_LIFE.why_not("cancel", "shipped") == (
        "it is shipped; possible only while pending, payment pending or confirmed"
    )


def test_transitions_and_final_states_are_listed() -> None:
    assert set(LIGHT.transitions()) == {
        ("red", "turn_on", "warming_up"),
        ("warming_up", "shine", "green"),
        ("green", "shine", "green"),
    }
    assert LIGHT.final_states() == {"green"}


@pytest.mark.parametrize(
    "cells",
    [
        {"red": IGNORE, "warming_up": IGNORE},
        {"red": IGNORE, "warming_up": IGNORE, "green": IGNORE, "blue": IGNORE},
        {"red": IGNORE, "warming_up": IGNORE, "green": "blue"},
        {"red": IGNORE, "warming_up": IGNORE, "green": "green"},
    ],
    ids=["missing state", "unknown state", "unknown next state", "next state is the same state"],
)
def test_an_incomplete_or_inconsistent_table_is_refused(cells: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="turn_on"):
        StateTable(Light, {"turn_on": cells})  # type: ignore[dict-item]


@pytest.mark.parametrize("kind", LIVES)
def test_every_state_is_reachable_and_the_final_states_are_as_expected(kind: str) -> None:
    life, final_states = LIVES[kind]
    initial_states = {life.states[0], *({"refused"} if kind == "reservation" else ())}
    reached = initial_states | {target for _, _, target in life.transitions()}

    assert life.final_states() == final_states
    assert reached == set(life.states)
