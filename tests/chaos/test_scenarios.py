"""Every flow ends as it must in every scenario. With HYPOTHESIS_PROFILE=chaos many more scenarios are tried."""

from datetime import datetime
from random import Random

import pytest
from hypothesis import settings

from integration.messaging.claim import Claim
from integration.messaging.models import Delivery
from inventory import commands as inventory
from tests.chaos import planted_bugs
from tests.chaos.flows import FLOWS, Flow, open_shop
from tests.chaos.scenario import Scenario
from tests.once import one_database

MANY = settings.get_current_profile_name() == "chaos"
SEEDS = 30 if MANY else 1
"""How many random orders are tried; each flow has its own."""
CRASHES = 1_000 if MANY else 1
"""At how many of a flow's steps a worker dies."""

pytestmark = pytest.mark.django_db


@one_database
@pytest.mark.parametrize(("number", "flow"), [*enumerate(FLOWS.values())], ids=FLOWS)
def test_a_flow_ends_the_same_in_every_scenario(number: int, flow: Flow) -> None:
    open_shop()
    wrong: dict[Scenario, list[str]] = {}

    def play(scenario: Scenario) -> int:
        steps, violations = scenario.play(flow)
        if violations:
            wrong[scenario] = violations
        return steps

    in_order = Scenario.in_order()
    steps = play(in_order)
    play(in_order.twice())
    for at in sorted(Random(number).sample(range(1, steps + 1), min(CRASHES, steps))):
        play(in_order.crashing(at))
    for seed in range(number, number + SEEDS):
        shuffled = Scenario.shuffled(seed)
        play(shuffled.twice())
        if MANY:
            play(shuffled.crashing(Random(seed).randint(1, play(shuffled))))

    assert wrong == {}


def test_a_crash_at_a_step_rolls_the_step_back() -> None:
    open_shop()
    usual, _ = Scenario.in_order().play(FLOWS["place_and_pay"])
    crashed, _ = Scenario.in_order().crashing(1).play(FLOWS["place_and_pay"])

    assert crashed > usual


def test_doubled_deliveries_take_twice_the_steps() -> None:
    open_shop()
    usual, _ = Scenario.in_order().play(FLOWS["place_and_pay"])
    twice, _ = Scenario.in_order().twice().play(FLOWS["place_and_pay"])

    assert twice == 2 * usual


def test_a_shuffle_changes_the_order_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop()
    from integration.messaging import deliver

    attempt, orders = deliver._attempt, []

    def note(name: str, claims: list[Claim], early: list[datetime]) -> None:
        orders[-1].append(name)
        attempt(name, claims, early)

    monkeypatch.setattr(deliver, "_attempt", note)
    for scenario in (Scenario.in_order(), Scenario.shuffled(1), Scenario.shuffled(1), Scenario.shuffled(2)):
        orders.append([])
        scenario.play(FLOWS["place_and_pay"])

    assert orders[1] == orders[2]
    assert len({tuple(order) for order in orders}) == 3


def test_a_consumer_that_is_not_idempotent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop()
    monkeypatch.setattr(inventory, "reserve_stock", planted_bugs.reserve_without_looking)

    _, violations = Scenario.in_order().twice().play(FLOWS["place_and_pay"])

    assert any(violation.startswith("inventory.") for violation in violations)
    assert Delivery.objects.filter(status="pending").count() == 0
