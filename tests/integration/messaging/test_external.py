"""The outside world is called for many deliveries in a row, and what it says is written down for all at once."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections

from integration.aggregates.unit_of_work import current_unit_of_work
from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.domain.metadata import current_cause
from integration.messaging import deliver as delivering
from integration.messaging import external
from integration.messaging.claim import BATCH, LEASE, SECOND_BATCH
from integration.messaging.deliver import deliver_due
from integration.messaging.external import LONGEST_CALLING
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.wakeups import DeliveryQueue
from inventory.commands import open_stock_item
from inventory.models import History, StockItem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

DELIVERY_QUEUE = DeliveryQueue("inventory", True)
SLOW = timedelta(seconds=LONGEST_CALLING + 0.05)

Listen = Callable[..., None]
RunOut = Callable[..., None]
Find = Callable[..., Delivery]
Later = Callable[[timedelta], None]


class Trouble(Exception):
    """The outside world's, or a handler's own."""


@pytest.fixture
def called() -> list[str]:
    """The skus the outside world was asked about, in order."""
    return []


@pytest.fixture
def ask(called: list[str]) -> Callable[[StockRanOut], Callable[[], None]]:
    """Ask the outside world, and have its answer written down: there is a place on the shelf for the sku."""

    def call(event: StockRanOut) -> Callable[[], None]:
        called.append(event.sku)
        return partial(open_stock_item, event.sku)

    return call


def _written() -> set[str]:
    return set(StockItem.objects.values_list("sku", flat=True))


def _states() -> Counter[tuple[str, int]]:
    return Counter(Delivery.objects.values_list("status", "attempts"))


def _skus(number: int) -> list[str]:
    return [f"S{n}" for n in range(number)]


# --- Many at once ---


def test_a_batch_takes_as_many_statements_as_one_but_for_the_calls(
    listen: Listen, run_out: RunOut, ask: Any, statements: Callable[[], Any]
) -> None:
    def prepare(events: Sequence[StockRanOut]) -> None:
        current_unit_of_work().prefetch(StockItem, [event.sku for event in events])

    listen(ask, external=True, prepare=prepare)
    counts = []
    for skus in (["MUG"], _skus(BATCH - 1)):
        run_out(*skus)
        with statements() as seen:
            assert deliver_due(DELIVERY_QUEUE) == len(skus)
        counts.append(len(seen))

    assert counts[0] == counts[1]
    assert _written() == {"MUG", *_skus(BATCH - 1)}


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_called_without_a_transaction_and_written_down_in_one(
    listen: Listen, run_out: RunOut, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_a_transaction: list[bool] = []
    commits: list[int] = []

    def call(event: StockRanOut) -> Callable[[], None]:
        inside_a_transaction.append(connection.in_atomic_block)
        return ask(event)

    listen(call, external=True)
    run_out(*_skus(BATCH))
    commit = connections["default"].commit
    monkeypatch.setattr(connections["default"], "commit", lambda: (commits.append(1), commit()))

    deliver_due(DELIVERY_QUEUE)

    assert inside_a_transaction == [False] * BATCH
    assert len(commits) == 1
    assert len(_written()) == BATCH


def test_what_nobody_wants_written_down_is_simply_done(listen: Listen, run_out: RunOut, called: list[str]) -> None:
    prepared: list[object] = []
    listen(lambda event: called.append(event.sku), external=True, prepare=prepared.append)
    run_out("MUG", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert called == ["MUG", "LAMP"]
    assert prepared == []
    assert _states() == {(Status.DONE, 1): 2}


def test_what_is_written_down_belongs_to_the_story_of_its_message(
    listen: Listen, run_out: RunOut, ask: Any, called: list[str]
) -> None:
    stories: list[Any] = []
    listen(lambda event: (stories.append(current_cause().correlation_id), ask(event))[1], external=True)
    run_out("MUG", "LAMP")
    Message.objects.filter(data__sku="LAMP").update(correlation_id="018f0000-0000-7000-8000-000000000001")

    deliver_due(DELIVERY_QUEUE)

    by_sku = {message.data["sku"]: message.correlation_id for message in Message.objects.all()}
    assert stories == [by_sku[sku] for sku in called]
    for entry in History.objects.all():
        assert entry.correlation_id == by_sku[entry.stream_id]


def test_what_a_batch_needs_is_read_once_and_given_to_each_call(listen: Listen, run_out: RunOut) -> None:
    seen: list[object] = []

    def read(events: Sequence[StockRanOut]) -> dict[str, int]:
        seen.append([event.sku for event in events])
        return {event.sku: len(event.sku) for event in events}

    listen(lambda event, lengths: seen.append(lengths[event.sku]), external=True, read=read)
    run_out("MUG", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert seen == [["MUG", "LAMP"], 3, 4]


def test_what_is_read_may_be_open_for_as_long_as_the_calls_take(listen: Listen, run_out: RunOut) -> None:
    seen: list[str] = []

    @contextmanager
    def line(events: Sequence[StockRanOut]) -> Iterator[Callable[[str], None]]:
        seen.append("open")
        yield seen.append
        seen.append("closed")

    def call(event: StockRanOut, say: Callable[[str], None]) -> Callable[[], None]:
        say(event.sku)
        if event.sku == "BAD":
            raise Trouble
        return partial(seen.append, f"{event.sku} written")

    listen(call, external=True, read=line)
    run_out("MUG", "BAD", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert seen == ["open", "MUG", "BAD", "LAMP", "closed", "MUG written", "LAMP written"]


def test_only_what_has_an_outcome_is_prepared_for_inside_of_its_unit_of_work(
    listen: Listen, run_out: RunOut, ask: Any
) -> None:
    prepared: list[list[str]] = []

    def prepare(events: Sequence[StockRanOut]) -> None:
        current_unit_of_work()
        prepared.append([event.sku for event in events])

    listen(lambda event: None if event.sku == "LAMP" else ask(event), external=True, prepare=prepare)
    run_out("MUG", "LAMP", "ATLAS")

    deliver_due(DELIVERY_QUEUE)

    assert prepared == [["MUG", "ATLAS"]]
    assert _states() == {(Status.DONE, 1): 3}


# --- A slow world ---


@pytest.fixture
def claimed_at_each_call() -> list[int]:
    """How many deliveries were claimed and not done when the outside world was called."""
    return []


@pytest.fixture
def ask_slowly(ask: Any, claimed_at_each_call: list[int]) -> Callable[[StockRanOut], Callable[[], None]]:
    """Ask about a sku; those that begin with SLOW take their time."""

    def call(event: StockRanOut) -> Callable[[], None]:
        claimed_at_each_call.append(Delivery.objects.filter(status=Status.PENDING, attempts=1).count())
        if event.sku.startswith("SLOW"):
            clock.advance(SLOW)
        return ask(event)

    return call


def test_a_slow_world_is_called_for_one_at_a_time_and_the_rest_is_given_back(
    listen: Listen, run_out: RunOut, ask_slowly: Any, claimed_at_each_call: list[int], woken: list[DeliveryQueue]
) -> None:
    listen(ask_slowly, external=True)
    run_out("SLOW-1", "SLOW-2", "SLOW-3", "SLOW-4")

    assert deliver_due(DELIVERY_QUEUE) == 4

    assert claimed_at_each_call == [4, 1, 1, 1]
    assert woken == [DELIVERY_QUEUE], "others are woken for what was given back"
    assert _states() == {(Status.DONE, 1): 4}


def test_what_was_answered_is_written_down_before_the_rest_is_asked_for(
    listen: Listen, run_out: RunOut, ask_slowly: Any
) -> None:
    written: list[set[str]] = []
    listen(lambda event: (written.append(_written()), ask_slowly(event))[1], external=True)
    run_out("MUG", "SLOW", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert written == [set(), set(), {"MUG", "SLOW"}]


def test_what_is_given_back_has_its_old_place_is_due_at_once_and_charged_with_no_attempt(
    listen: Listen, run_out: RunOut, ask: Any, called: list[str], later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "LONGEST_WAKE", -1.0)
    listen(lambda event: (clock.advance(SLOW), ask(event))[1], external=True)
    run_out("MUG", "LAMP")
    clock.advance(timedelta(seconds=1))
    run_out("NEW")

    assert deliver_due(DELIVERY_QUEUE) == 1
    assert _states() == {(Status.DONE, 1): 1, (Status.PENDING, 0): 2}
    assert Delivery.objects.filter(status=Status.PENDING, due_at__lte=clock.now()).count() == 2

    deliver_due(DELIVERY_QUEUE)
    assert called == ["MUG", "LAMP"]


def test_a_world_that_is_fast_again_is_called_for_ever_more_together(
    listen: Listen, run_out: RunOut, ask_slowly: Any, claimed_at_each_call: list[int]
) -> None:
    listen(ask_slowly, external=True)
    run_out("SLOW", *_skus(7))

    deliver_due(DELIVERY_QUEUE)

    assert claimed_at_each_call == [8, 1, 2, 2, 4, 4, 4, 4]


def test_another_consumers_deliveries_do_not_wait_behind_a_slow_one(
    listen: Listen, run_out: RunOut, ask_slowly: Any, called: list[str]
) -> None:
    listen(ask_slowly, name="inventory.ask", external=True)
    listen(lambda event: called.append(f"mail {event.sku}"), name="inventory.mail", external=True)
    run_out("SLOW")

    assert deliver_due(DELIVERY_QUEUE) == 2

    assert called == ["SLOW", "mail SLOW"]
    assert _states() == {(Status.DONE, 1): 2}


def test_what_another_worker_took_over_meanwhile_is_not_given_back(
    listen: Listen, run_out: RunOut, ask: Any, delivery: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(event: StockRanOut) -> Callable[[], None]:
        clock.advance(LEASE)
        Delivery.objects.filter(message__data__sku="LAMP").update(attempts=2, due_at=clock.now() + LEASE)
        return ask(event)

    monkeypatch.setattr(delivering, "LONGEST_WAKE", -1.0)
    listen(call, external=True)
    run_out("MUG", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert (delivery("LAMP").attempts, delivery("LAMP").due_at) == (2, clock.now() + LEASE)


# --- Failure ---


def test_a_call_that_fails_is_nobody_elses_failure(
    listen: Listen, run_out: RunOut, ask: Any, called: list[str], delivery: Find
) -> None:
    def call(event: StockRanOut) -> Callable[[], None]:
        write_down = ask(event)
        if event.sku == "BAD":
            raise Trouble("nobody is there")
        return write_down

    listen(call, external=True)
    run_out("MUG", "BAD", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert called == ["MUG", "BAD", "LAMP"]
    assert _written() == {"MUG", "LAMP"}
    assert {(delivery(sku).status, delivery(sku).attempts) for sku in ("MUG", "LAMP")} == {(Status.DONE, 1)}
    failed = delivery("BAD")
    assert (failed.status, failed.attempts, failed.error) == (Status.PENDING, 1, "Trouble: nobody is there")
    assert 0.5 <= (failed.due_at - clock.now()).total_seconds() <= 1


def test_an_outcome_that_cannot_be_written_down_is_nobody_elses_failure_and_nobody_is_called_again(
    listen: Listen, run_out: RunOut, ask: Any, called: list[str], delivery: Find
) -> None:
    def write_and_fail(write_down: Callable[[], None]) -> None:
        write_down()
        raise Trouble("no room for it")

    listen(lambda event: partial(write_and_fail, ask(event)) if event.sku == "BAD" else ask(event), external=True)
    run_out("MUG", "BAD", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert called == ["MUG", "BAD", "LAMP"]
    assert _written() == {"MUG", "LAMP"}
    assert {(delivery(sku).status, delivery(sku).attempts) for sku in ("MUG", "LAMP")} == {(Status.DONE, 1)}
    assert (delivery("BAD").status, delivery("BAD").error) == (Status.PENDING, "Trouble: no room for it")


def test_what_cannot_be_read_together_is_read_alone(
    listen: Listen, run_out: RunOut, called: list[str], delivery: Find
) -> None:
    def read(events: Sequence[StockRanOut]) -> None:
        if "BAD" in {event.sku for event in events}:
            raise Trouble("unreadable")

    listen(lambda event, nothing: called.append(event.sku), external=True, read=read)
    run_out("MUG", "BAD", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert called == ["MUG", "LAMP"]
    assert delivery("BAD").error == "Trouble: unreadable"


def test_facts_that_do_not_fit_are_nobody_elses_failure(listen: Listen, run_out: RunOut, ask: Any) -> None:
    listen(ask, external=True)
    run_out("MUG", "LAMP")
    Message.objects.filter(data__sku="MUG").update(data={"sku": 7})

    deliver_due(DELIVERY_QUEUE)

    assert _written() == {"LAMP"}
    assert Delivery.objects.get(status=Status.PENDING).error.startswith("ValidationError")


def test_a_worker_that_was_overtaken_takes_back_what_it_wrote_down_of_that_delivery_alone(
    listen: Listen, run_out: RunOut, ask: Any, delivery: Find
) -> None:
    long_ago = clock.now() - timedelta(minutes=1)

    def call(event: StockRanOut) -> Callable[[], None]:
        if event.sku == "LAMP":
            Delivery.objects.filter(message__data__sku="LAMP").update(status=Status.DONE, done_at=long_ago)
        return ask(event)

    listen(call, external=True)
    run_out("MUG", "LAMP", "ATLAS")

    deliver_due(DELIVERY_QUEUE)

    assert _written() == {"MUG", "ATLAS"}
    assert delivery("LAMP").done_at == long_ago
    assert set(Delivery.objects.values_list("status", "error")) == {(Status.DONE, "")}


class Killed(BaseException):
    """The worker is gone."""


def test_what_a_killed_worker_was_answered_is_asked_for_again(
    listen: Listen, run_out: RunOut, ask: Any, called: list[str], later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: object) -> None:
        raise Killed

    listen(ask, external=True)
    run_out(*_skus(8))
    with monkeypatch.context() as patch:
        patch.setattr(external, "mark_done", die)
        with pytest.raises(Killed):
            deliver_due(DELIVERY_QUEUE)
    assert _written() == set()
    assert _states() == {(Status.PENDING, 1): 8}
    assert deliver_due(DELIVERY_QUEUE) == 0

    later(LEASE)
    assert deliver_due(DELIVERY_QUEUE) == 8 > SECOND_BATCH

    assert called == _skus(8) * 2
    assert _written() == set(_skus(8))
    assert _states() == {(Status.DONE, 2): 8}
