"""Limits of external consumers hold over all workers, and a system that asks to wait is left alone by all of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.domain.errors import OutcomeUnknown
from integration.messaging import flow
from integration.messaging.back_off import bring_forward
from integration.messaging.consumer_states import locked
from integration.messaging.deliver import deliver_due
from integration.messaging.models import ConsumerState, Delivery
from integration.messaging.wakeups import DeliveryQueue
from integration.policies import Rate, whenever

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

QUEUE = DeliveryQueue("inventory", True)
Later = Callable[[timedelta], None]
Listen = Callable[..., None]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """The SKUs that were called about, each with its moment; pauses pass at once."""
    made: list[tuple[str, float]] = []
    monkeypatch.setattr(clock, "pause", lambda seconds: made.append(("pause", seconds)))
    return made


def _states() -> dict[str, Any]:
    return dict(Delivery.objects.values_list("message__data__sku", "attempts"))


def test_a_429_costs_no_attempt_and_holds_back_every_worker(
    listen: Listen, run_out: Callable[..., None], later: Later, called: list[tuple[str, float]]
) -> None:
    busy = [True]

    def call(event: StockRanOut) -> None:
        called.append((event.sku, 0))
        if busy[0]:
            raise OutcomeUnknown("429", timedelta(minutes=30))

    listen(call, external=True)
    run_out("MUG")
    deliver_due(QUEUE)
    assert called == [("MUG", 0)]
    assert _states() == {"MUG": 0}
    run_out("LAMP")  # another delivery, whichever worker claims it
    deliver_due(QUEUE)
    bring_forward()
    deliver_due(QUEUE)
    assert called == [("MUG", 0)]
    assert _states() == {"MUG": 0, "LAMP": 0}
    later(timedelta(minutes=31))
    busy[0] = False
    deliver_due(QUEUE)
    assert [sku for sku, _ in called] == ["MUG", "MUG", "LAMP"]
    assert set(Delivery.objects.values_list("status", flat=True)) == {"done"}
    assert ConsumerState.objects.get().failures == 0


def test_a_rate_spreads_calls_and_the_rest_are_due_later(
    listen: Listen, run_out: Callable[..., None], later: Later, called: list[tuple[str, float]]
) -> None:
    listen(lambda event: called.append((event.sku, 0)), external=True, rate=Rate(10, timedelta(seconds=1)))
    run_out(*"ABCDEFG")
    deliver_due(QUEUE)
    assert [what for what, _ in called] == ["A", "pause", "B", "pause", "C"]
    assert _states() == dict.fromkeys("ABC", 1) | dict.fromkeys("DEFG", 0)
    deliver_due(QUEUE)  # another worker, at the same moment
    assert len([what for what, _ in called if what != "pause"]) == 3
    for _ in range(4):
        later(timedelta(seconds=0.4))
        deliver_due(QUEUE)
    assert [what for what, _ in called if what != "pause"] == [*"ABCDEFG"]


def test_at_once_and_per_key_count_what_other_workers_have_under_way(
    listen: Listen, run_out: Callable[..., None], later: Later, called: list[tuple[str, float]]
) -> None:
    def of_sku(event: StockRanOut) -> str:
        return event.sku

    listen(lambda event: called.append((event.sku, 0)), external=True, at_once=2, key=of_sku, at_once_per_key=1)
    until = (clock.now() + timedelta(seconds=5)).timestamp()
    state = locked("inventory.reorder")
    state.calls = {"another-1": {"until": until, "keys": [flow._hashed("MUG")]}}
    state.save()
    run_out("MUG", "LAMP")
    deliver_due(QUEUE)
    assert [sku for sku, _ in called] == ["LAMP"]
    assert [*ConsumerState.objects.get().calls] == ["another-1"]
    state.calls |= {"another-2": {"until": until, "keys": []}}
    state.save()
    run_out("ATLAS")
    later(timedelta(seconds=1))
    deliver_due(QUEUE)
    assert [sku for sku, _ in called] == ["LAMP"]
    assert _states() == {"MUG": 0, "LAMP": 1, "ATLAS": 0}
    later(timedelta(seconds=6))  # the other workers have died
    deliver_due(QUEUE)
    assert [sku for sku, _ in called] == ["LAMP", "MUG", "ATLAS"]
    assert ConsumerState.objects.get().calls == {}


def test_a_call_that_fails_ends_too(listen: Listen, run_out: Callable[..., None]) -> None:
    def fail(event: StockRanOut) -> None:
        raise OSError("no line")

    listen(fail, external=True, at_once=1)
    run_out("MUG")
    deliver_due(QUEUE)
    assert _states() == {"MUG": 1}
    assert ConsumerState.objects.get().calls == {}


def test_a_consumer_without_limits_pays_no_statement(
    listen: Listen, run_out: Callable[..., None], statements: Callable[[], Any]
) -> None:
    listen(lambda event: None, external=True)
    run_out("MUG")
    with statements() as seen:
        deliver_due(QUEUE)
    assert not [sql for sql in map(str, seen) if "consumerstate" in sql and "WITH lost" not in sql]
    assert not ConsumerState.objects.exists()


def test_limits_are_for_external_reactions() -> None:
    for limit in ({"rate": Rate(1, timedelta(seconds=1))}, {"at_once": 1}, {"at_once_per_key": 1}):
        with pytest.raises(TypeError, match=next(iter(limit))):
            whenever(StockRanOut, name="inventory.limited", **limit)(lambda event: None)  # type: ignore[arg-type]
