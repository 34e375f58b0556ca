"""A table of states is complete, and answers each message in each state in exactly one way."""

from enum import Enum

import pytest

from billing.models import INVOICE_LIFE, PAYMENT_LIFE, REFUND_LIFE
from fulfillment.models import SHIPMENT_LIFE
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
    "order": (ORDER_LIFE, {"delivered", "cancelled"}),
    "reservation": (RESERVATION_LIFE, {"shipped", "released", "expired", "refused"}),
    "invoice": (INVOICE_LIFE, {"refunded", "void"}),
    "payment": (PAYMENT_LIFE, {"succeeded"}),
    "refund": (REFUND_LIFE, {"issued"}),
    "shipment": (SHIPMENT_LIFE, {"delivered", "cancelled"}),
}
"""All tables of the project, and the states nothing leads out of."""


def test_a_transition_is_accepted() -> None:
    assert LIGHT.accepts("turn_on", "red", "light 1")


def test_a_message_may_leave_the_state_as_it_is_and_still_be_acted_upon() -> None:
    assert LIGHT.accepts("shine", "green", "light 1")


def test_what_is_to_be_ignored_is_not_accepted() -> None:
    assert not LIGHT.accepts("turn_on", "warming_up", "light 1")


def test_a_refusal_says_what_cannot_be_done_to_what() -> None:
    with pytest.raises(NotAllowed, match="light 1 is green: cannot turn on"):
        LIGHT.accepts("turn_on", "green", "light 1")


def test_a_message_that_is_too_early_says_so() -> None:
    with pytest.raises(NotYet, match="light 1 is still red: too early to shine"):
        LIGHT.accepts("shine", "red", "light 1")


def test_transitions_and_final_states_can_be_drawn() -> None:
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
    ids=["a state without a cell", "a cell for no state", "a way to no state", "a state that leads to itself"],
)
def test_a_table_with_a_gap_is_refused(cells: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="turn_on"):
        StateTable(Light, {"turn_on": cells})  # type: ignore[dict-item]


@pytest.mark.parametrize("kind", LIVES)
def test_every_life_ends_where_it_should_and_can_be_lived(kind: str) -> None:
    life, ends = LIVES[kind]
    births = {life.states[0], *({"refused"} if kind == "reservation" else ())}
    reached = births | {target for _, _, target in life.transitions()}

    assert life.final_states() == ends
    assert reached == set(life.states)
