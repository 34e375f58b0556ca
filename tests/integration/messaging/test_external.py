"""External calls are made for many deliveries in a row, and their results are recorded in one unit of work."""

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


class CallFailed(Exception):
    """An error of the external system or of a handler."""


@pytest.fixture
def called() -> list[str]:
    """The SKUs that the external system was called about, in order."""
    return []


@pytest.fixture
def call_external(called: list[str]) -> Callable[[StockRanOut], Callable[[], None]]:
    """An external call whose result is recorded by opening a stock item for the SKU."""

    def call(event: StockRanOut) -> Callable[[], None]:
        called.append(event.sku)
        return partial(open_stock_item, event.sku)

    return call


def _recorded() -> set[str]:
    return set(StockItem.objects.values_list("sku", flat=True))


def _states() -> Counter[tuple[str, int]]:
    return Counter(Delivery.objects.values_list("status", "attempts"))


def _skus(number: int) -> list[str]:
    return [f"S{n}" for n in range(number)]


# --- Batches ---


def test_a_batch_of_calls_needs_as_many_statements_as_one_call(
    listen: Listen, run_out: RunOut, call_external: Any, statements: Callable[[], Any]
) -> None:
    def prepare(events: Sequence[StockRanOut]) -> None:
        current_unit_of_work().prefetch(StockItem, [event.sku for event in events])

    listen(call_external, external=True, prepare=prepare)
    counts = []
    for skus in (["MUG"], _skus(BATCH - 1)):
        run_out(*skus)
        with statements() as seen:
            assert deliver_due(DELIVERY_QUEUE) == len(skus)
        counts.append(len(seen))

    assert counts[0] == counts[1]
    assert _recorded() == {"MUG", *_skus(BATCH - 1)}


@pytest.mark.django_db(transaction=True)
def test_calls_run_without_a_transaction_and_are_recorded_in_one(
    listen: Listen, run_out: RunOut, call_external: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_transaction: list[bool] = []
    commits: list[int] = []

    def call(event: StockRanOut) -> Callable[[], None]:
        in_a_transaction.append(connection.in_atomic_block)
        return call_external(event)

    listen(call, external=True)
    run_out(*_skus(BATCH))
    commit = connections["default"].commit
    monkeypatch.setattr(connections["default"], "commit", lambda: (commits.append(1), commit()))

    deliver_due(DELIVERY_QUEUE)

    assert in_a_transaction == [False] * BATCH
    assert len(commits) == 1
    assert len(_recorded()) == BATCH


def test_a_call_without_a_result_to_record_is_marked_done(listen: Listen, run_out: RunOut, called: list[str]) -> None:
    prepared: list[object] = []
    listen(lambda event: called.append(event.sku), external=True, prepare=prepared.append)
    run_out("MUG", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert called == ["MUG", "LAMP"]
    assert prepared == []
    assert _states() == {(Status.DONE, 1): 2}


def test_results_are_recorded_with_the_correlation_id_of_their_message(
    listen: Listen, run_out: RunOut, call_external: Any, called: list[str]
) -> None:
    stories: list[Any] = []
    listen(lambda event: (stories.append(current_cause().correlation_id), call_external(event))[1], external=True)
    run_out("MUG", "LAMP")
    Message.objects.filter(data__sku="LAMP").update(correlation_id="018f0000-0000-7000-8000-000000000001")

    deliver_due(DELIVERY_QUEUE)

    by_sku = {message.data["sku"]: message.correlation_id for message in Message.objects.all()}
    assert stories == [by_sku[sku] for sku in called]
    for entry in History.objects.all():
        assert entry.correlation_id == by_sku[entry.stream_id]


def test_read_is_called_once_and_its_result_passed_to_each_call(listen: Listen, run_out: RunOut) -> None:
    seen: list[object] = []

    def read(events: Sequence[StockRanOut]) -> dict[str, int]:
        seen.append([event.sku for event in events])
        return {event.sku: len(event.sku) for event in events}

    listen(lambda event, lengths: seen.append(lengths[event.sku]), external=True, read=read)
    run_out("MUG", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert seen == [["MUG", "LAMP"], 3, 4]


def test_a_context_manager_from_read_stays_open_during_the_calls(listen: Listen, run_out: RunOut) -> None:
    seen: list[str] = []

    @contextmanager
    def line(events: Sequence[StockRanOut]) -> Iterator[Callable[[str], None]]:
        seen.append("open")
        yield seen.append
        seen.append("closed")

    def call(event: StockRanOut, say: Callable[[str], None]) -> Callable[[], None]:
        say(event.sku)
        if event.sku == "BAD":
            raise CallFailed
        return partial(seen.append, f"{event.sku} recorded")

    listen(call, external=True, read=line)
    run_out("MUG", "BAD", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert seen == ["open", "MUG", "BAD", "LAMP", "closed", "MUG recorded", "LAMP recorded"]


def test_prepare_gets_only_events_with_a_result_to_record(listen: Listen, run_out: RunOut, call_external: Any) -> None:
    prepared: list[list[str]] = []

    def prepare(events: Sequence[StockRanOut]) -> None:
        current_unit_of_work()
        prepared.append([event.sku for event in events])

    listen(lambda event: None if event.sku == "LAMP" else call_external(event), external=True, prepare=prepare)
    run_out("MUG", "LAMP", "ATLAS")

    deliver_due(DELIVERY_QUEUE)

    assert prepared == [["MUG", "ATLAS"]]
    assert _states() == {(Status.DONE, 1): 3}


# --- A slow external system ---


@pytest.fixture
def claimed_at_each_call() -> list[int]:
    """The number of deliveries in flight at each external call."""
    return []


@pytest.fixture
def call_slowly(call_external: Any, claimed_at_each_call: list[int]) -> Callable[[StockRanOut], Callable[[], None]]:
    """An external call that takes long for SKUs beginning with SLOW."""

    def call(event: StockRanOut) -> Callable[[], None]:
        claimed_at_each_call.append(Delivery.objects.filter(status=Status.PENDING, attempts=1).count())
        if event.sku.startswith("SLOW"):
            clock.advance(SLOW)
        return call_external(event)

    return call


def test_a_slow_system_is_called_once_per_claim_and_the_rest_released(
    listen: Listen, run_out: RunOut, call_slowly: Any, claimed_at_each_call: list[int], woken: list[DeliveryQueue]
) -> None:
    listen(call_slowly, external=True)
    run_out("SLOW-1", "SLOW-2", "SLOW-3", "SLOW-4")

    assert deliver_due(DELIVERY_QUEUE) == 4

    assert claimed_at_each_call == [4, 1, 1, 1]
    assert woken == [DELIVERY_QUEUE], "a worker is woken for the released deliveries"
    assert _states() == {(Status.DONE, 1): 4}


def test_results_are_recorded_before_further_calls_to_a_slow_system(
    listen: Listen, run_out: RunOut, call_slowly: Any
) -> None:
    recorded: list[set[str]] = []
    listen(lambda event: (recorded.append(_recorded()), call_slowly(event))[1], external=True)
    run_out("MUG", "SLOW", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert recorded == [set(), set(), {"MUG", "SLOW"}]


def test_a_released_delivery_is_due_at_its_old_position_without_an_attempt(
    listen: Listen,
    run_out: RunOut,
    call_external: Any,
    called: list[str],
    later: Later,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivering, "LONGEST_WAKE", -1.0)
    listen(lambda event: (clock.advance(SLOW), call_external(event))[1], external=True)
    run_out("MUG", "LAMP")
    clock.advance(timedelta(seconds=1))
    run_out("NEW")

    assert deliver_due(DELIVERY_QUEUE) == 1
    assert _states() == {(Status.DONE, 1): 1, (Status.PENDING, 0): 2}
    assert Delivery.objects.filter(status=Status.PENDING, due_at__lte=clock.now()).count() == 2

    deliver_due(DELIVERY_QUEUE)
    assert called == ["MUG", "LAMP"]


def test_the_batch_size_grows_when_the_system_is_fast_again(
    listen: Listen, run_out: RunOut, call_slowly: Any, claimed_at_each_call: list[int]
) -> None:
    listen(call_slowly, external=True)
    run_out("SLOW", *_skus(7))

    deliver_due(DELIVERY_QUEUE)

    assert claimed_at_each_call == [8, 1, 2, 2, 4, 4, 4, 4]


def test_deliveries_of_another_consumer_do_not_wait_for_a_slow_one(
    listen: Listen, run_out: RunOut, call_slowly: Any, called: list[str]
) -> None:
    listen(call_slowly, name="inventory.ask", external=True)
    listen(lambda event: called.append(f"mail {event.sku}"), name="inventory.mail", external=True)
    run_out("SLOW")

    assert deliver_due(DELIVERY_QUEUE) == 2

    assert called == ["SLOW", "mail SLOW"]
    assert _states() == {(Status.DONE, 1): 2}


def test_a_delivery_claimed_by_another_worker_is_not_released(
    listen: Listen, run_out: RunOut, call_external: Any, delivery: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(event: StockRanOut) -> Callable[[], None]:
        clock.advance(LEASE)
        Delivery.objects.filter(message__data__sku="LAMP").update(attempts=2, due_at=clock.now() + LEASE)
        return call_external(event)

    monkeypatch.setattr(delivering, "LONGEST_WAKE", -1.0)
    listen(call, external=True)
    run_out("MUG", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert (delivery("LAMP").attempts, delivery("LAMP").due_at) == (2, clock.now() + LEASE)


# --- Failure ---


def test_a_failed_call_does_not_affect_other_deliveries(
    listen: Listen, run_out: RunOut, call_external: Any, called: list[str], delivery: Find
) -> None:
    def call(event: StockRanOut) -> Callable[[], None]:
        record = call_external(event)
        if event.sku == "BAD":
            raise CallFailed("nobody is there")
        return record

    listen(call, external=True)
    run_out("MUG", "BAD", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert called == ["MUG", "BAD", "LAMP"]
    assert _recorded() == {"MUG", "LAMP"}
    assert {(delivery(sku).status, delivery(sku).attempts) for sku in ("MUG", "LAMP")} == {(Status.DONE, 1)}
    failed = delivery("BAD")
    assert (failed.status, failed.attempts, failed.error) == (Status.PENDING, 1, "CallFailed: nobody is there")
    assert 0.5 <= (failed.due_at - clock.now()).total_seconds() <= 1


def test_a_result_that_cannot_be_recorded_fails_alone_and_repeats_no_call(
    listen: Listen, run_out: RunOut, call_external: Any, called: list[str], delivery: Find
) -> None:
    def record_and_fail(record: Callable[[], None]) -> None:
        record()
        raise CallFailed("the disk is full")

    listen(
        lambda event: partial(record_and_fail, call_external(event)) if event.sku == "BAD" else call_external(event),
        external=True,
    )
    run_out("MUG", "BAD", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert called == ["MUG", "BAD", "LAMP"]
    assert _recorded() == {"MUG", "LAMP"}
    assert {(delivery(sku).status, delivery(sku).attempts) for sku in ("MUG", "LAMP")} == {(Status.DONE, 1)}
    assert (delivery("BAD").status, delivery("BAD").error) == (Status.PENDING, "CallFailed: the disk is full")


def test_if_read_fails_for_a_batch_each_delivery_is_read_alone(
    listen: Listen, run_out: RunOut, called: list[str], delivery: Find
) -> None:
    def read(events: Sequence[StockRanOut]) -> None:
        if "BAD" in {event.sku for event in events}:
            raise CallFailed("unreadable")

    listen(lambda event, nothing: called.append(event.sku), external=True, read=read)
    run_out("MUG", "BAD", "LAMP")

    deliver_due(DELIVERY_QUEUE)

    assert called == ["MUG", "LAMP"]
    assert delivery("BAD").error == "CallFailed: unreadable"


def test_invalid_data_does_not_affect_other_deliveries(listen: Listen, run_out: RunOut, call_external: Any) -> None:
    listen(call_external, external=True)
    run_out("MUG", "LAMP")
    Message.objects.filter(data__sku="MUG").update(data={"sku": 7})

    deliver_due(DELIVERY_QUEUE)

    assert _recorded() == {"LAMP"}
    assert Delivery.objects.get(status=Status.PENDING).error.startswith("ValidationError")


def test_a_lost_claim_rolls_back_only_its_own_result(
    listen: Listen, run_out: RunOut, call_external: Any, delivery: Find
) -> None:
    long_ago = clock.now() - timedelta(minutes=1)

    def call(event: StockRanOut) -> Callable[[], None]:
        if event.sku == "LAMP":
            Delivery.objects.filter(message__data__sku="LAMP").update(status=Status.DONE, done_at=long_ago)
        return call_external(event)

    listen(call, external=True)
    run_out("MUG", "LAMP", "ATLAS")

    deliver_due(DELIVERY_QUEUE)

    assert _recorded() == {"MUG", "ATLAS"}
    assert delivery("LAMP").done_at == long_ago
    assert set(Delivery.objects.values_list("status", "error")) == {(Status.DONE, "")}


class Killed(BaseException):
    """Stands for the death of the worker process."""


def test_calls_of_a_killed_worker_are_repeated(
    listen: Listen,
    run_out: RunOut,
    call_external: Any,
    called: list[str],
    later: Later,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*args: object) -> None:
        raise Killed

    listen(call_external, external=True)
    run_out(*_skus(8))
    with monkeypatch.context() as patch:
        patch.setattr(external, "mark_done", die)
        with pytest.raises(Killed):
            deliver_due(DELIVERY_QUEUE)
    assert _recorded() == set()
    assert _states() == {(Status.PENDING, 1): 8}
    assert deliver_due(DELIVERY_QUEUE) == 0

    later(LEASE)
    assert deliver_due(DELIVERY_QUEUE) == 8 > SECOND_BATCH

    assert called == _skus(8) * 2
    assert _recorded() == set(_skus(8))
    assert _states() == {(Status.DONE, 2): 8}
