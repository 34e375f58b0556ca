"""Exactly-once effects: a delivery is handled and marked done in one transaction, or retried, or becomes a dead
letter."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from pytest_django import Settings

from integration.aggregates.direct_writes import bypassing_history
from integration.aggregates.unit_of_work import current_unit_of_work, unit_of_work
from integration.contracts.inventory import StockRanOut, StockReplenished
from integration.domain import clock
from integration.domain.errors import NotFound, NotYet
from integration.domain.identifiers import Sku
from integration.domain.metadata import current_cause
from integration.messaging import deliver as delivering
from integration.messaging import external, outcomes
from integration.messaging.claim import BATCH, CLOCKS_DIFFER, LEASE, LOST_AGAIN_WAITS, claim, due_delivery_queues
from integration.messaging.dead_letters import replay
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.publish import publish
from integration.messaging.wakeups import DeliveryQueue
from inventory.commands import open_stock_item, receive_stock
from inventory.models import History, StockItem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

IN_TRANSACTION, EXTERNAL = DeliveryQueue("inventory", False), DeliveryQueue("inventory", True)
AFTER_THE_LEASE = LEASE + timedelta(seconds=1)

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Find = Callable[..., Delivery]
Later = Callable[[timedelta], None]


class HandlerError(Exception):
    """An error raised by a handler."""


@pytest.fixture(autouse=True)
def three_attempts(settings: Settings) -> None:
    settings.DELIVERY_MAX_ATTEMPTS = 3
    settings.NOT_YET_TIMEOUT = timedelta(minutes=5)


def _open(event: StockRanOut) -> None:
    """A handler with an effect: it opens a stock item for the SKU."""
    open_stock_item(event.sku)


def _fail(event: StockRanOut) -> None:
    raise HandlerError(f"no {event.sku} for you")


def _skus() -> set[str]:
    return set(StockItem.objects.values_list("sku", flat=True))


def _due_in(delivery: Delivery) -> float:
    return (delivery.due_at - clock.now()).total_seconds()


# --- Each delivery once, with its effect ---


def test_each_consumer_handles_each_message_once(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    handled: Counter[tuple[str, str]] = Counter()
    listen(lambda event: handled.update([("reorder", event.sku)]), name="inventory.reorder")
    listen(lambda event: handled.update([("count", event.sku)]), name="inventory.count")
    listen(lambda event: handled.update([("mail", event.sku)]), name="inventory.mail", external=True)
    run_out("MUG", "LAMP")

    assert deliver() == 6
    assert deliver() == 0

    assert handled == Counter((who, sku) for who in ("reorder", "count", "mail") for sku in ("MUG", "LAMP"))
    assert set(Delivery.objects.values_list("status", "attempts")) == {(Status.DONE, 1)}


def test_the_database_refuses_a_second_delivery_to_the_same_consumer(
    listen: Listen, run_out: RunOut, delivery: Find
) -> None:
    listen(_open)
    run_out("MUG")
    twin = delivery()
    twin.pk = None

    assert Delivery.objects.bulk_create([twin], ignore_conflicts=True)
    assert Delivery.objects.count() == 1


def test_the_effect_and_marking_it_done_are_one_transaction(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_to_mark(deliveries: object) -> None:
        raise HandlerError

    monkeypatch.setattr(delivering, "mark_done", fail_to_mark)
    listen(_open)
    run_out("MUG")

    deliver()

    assert _skus() == set()
    assert (delivery().status, delivery().attempts) == (Status.PENDING, 1)


def test_done_at_is_the_time_of_marking_it_done(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    listen(_open)
    run_out("MUG")
    before = clock.now()

    deliver()

    done_at = delivery().done_at
    assert done_at is not None
    assert before <= done_at <= clock.now()


def test_a_worker_handles_only_its_own_delivery_queue(listen: Listen, run_out: RunOut) -> None:
    handled: list[str] = []
    listen(lambda event: handled.append("in_transaction"))
    listen(lambda event: handled.append("external"), name="inventory.mail", external=True)
    listen(lambda event: handled.append("elsewhere"), name="billing.note")
    run_out("MUG")

    assert deliver_due(EXTERNAL) == 1
    assert handled == ["external"]
    assert sorted(due_delivery_queues()) == [DeliveryQueue("billing", False), IN_TRANSACTION]


def test_the_effects_of_a_message_have_its_correlation_id(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(_open)
    run_out("MUG", "LAMP")
    Message.objects.filter(data__sku="LAMP").update(correlation_id="018f0000-0000-7000-8000-000000000001")

    deliver()

    for entry in History.objects.all():
        message = Message.objects.get(data__sku=entry.stream_id)
        assert entry.correlation_id == message.correlation_id


def test_only_in_transaction_reactions_have_a_unit_of_work(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    seen: dict[str, bool] = {}

    def look(where: str) -> None:
        try:
            current_unit_of_work()
            seen[where] = True
        except RuntimeError:
            seen[where] = False

    listen(lambda event: look("in_transaction"))
    listen(lambda event: look("external"), name="inventory.mail", external=True)
    run_out("MUG")

    deliver()

    assert seen == {"in_transaction": True, "external": False}


def test_an_external_call_has_the_correlation_id_of_its_message(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    seen: list[object] = []
    listen(lambda event: seen.append(current_cause().correlation_id), external=True)
    run_out("MUG")

    deliver()

    assert seen == [Message.objects.get().correlation_id]


@pytest.mark.django_db(transaction=True)
def test_an_external_call_is_made_without_a_transaction(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    seen: list[bool] = []
    listen(lambda event: seen.append(connection.in_atomic_block))
    listen(lambda event: seen.append(connection.in_atomic_block), name="inventory.mail", external=True)
    run_out("MUG")

    deliver()

    assert seen == [True, False]


# --- Batches ---


def test_a_batch_needs_as_many_statements_as_one_delivery(
    listen: Listen, run_out: RunOut, statements: Callable[[], Any]
) -> None:
    handled: list[str] = []
    listen(lambda event: handled.append(event.sku), prepare=lambda events: None)
    counts = []
    for number in (1, BATCH):
        run_out(*(f"S{n}" for n in range(number)))
        with statements() as seen:
            deliver_due(IN_TRANSACTION)
        counts.append(len(seen))

    # claim, read, mark done; after a full batch, another claim, which finds nothing
    assert counts == [3, 4]
    assert len(handled) == 1 + BATCH


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_one_commit(listen: Listen, run_out: RunOut, monkeypatch: pytest.MonkeyPatch) -> None:
    listen(_open)
    run_out(*(f"S{n}" for n in range(BATCH)))
    commits: list[int] = []
    commit = connections["default"].commit
    monkeypatch.setattr(connections["default"], "commit", lambda: (commits.append(1), commit()))

    deliver_due(IN_TRANSACTION)

    assert len(commits) == 1
    assert len(_skus()) == BATCH


def test_prepare_is_called_once_with_all_events_of_a_batch(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    order: list[object] = []
    listen(lambda event: order.append(event.sku), prepare=lambda events: order.append([e.sku for e in events]))
    run_out("MUG", "LAMP", "ATLAS")

    deliver()

    assert order == [["MUG", "LAMP", "ATLAS"], "MUG", "LAMP", "ATLAS"]


def test_more_than_a_batch_is_handled_in_several_oldest_first(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    batches: list[int] = []
    handled: list[str] = []
    listen(lambda event: handled.append(event.sku), prepare=lambda events: batches.append(len(events)))
    skus = [f"S{n}" for n in range(2 * BATCH + 1)]
    run_out(*skus)

    assert deliver() == 2 * BATCH + 1
    assert batches == [BATCH, BATCH, 1]
    assert handled == skus


def test_a_batch_starts_only_as_many_as_it_can_handle_in_time(
    listen: Listen, run_out: RunOut, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds_each, now = 0.06, 0.0
    batches: list[int] = []

    def handle(event: StockRanOut) -> None:
        nonlocal now
        now += seconds_each

    monkeypatch.setattr(delivering.clock, "stopwatch", lambda: now)
    listen(handle, prepare=lambda events: batches.append(len(events)))
    run_out(*(f"SLOW-{n}" for n in range(10)))
    deliver()
    assert batches == [10, 4, 4, 4, 2]  # two of each batch are handled in time

    seconds_each = 0.0
    batches.clear()
    run_out(*(f"FAST-{n}" for n in range(20)))
    deliver()
    assert batches == [4, 8, 8]
    batches.clear()
    run_out(*(f"MORE-{n}" for n in range(BATCH)))
    deliver()
    assert batches == [16, 32, BATCH - 48]


@pytest.mark.parametrize("limit", [1, BATCH])
def test_a_claim_never_exceeds_its_limit_with_outdated_statistics(listen: Listen, run_out: RunOut, limit: int) -> None:
    # The planner statistics come from a quiet time with many deliveries, none of them pending. Then many arrive at
    # once.
    listen(_open)
    run_out(*(f"OLD-{n}" for n in range(2000)))
    Delivery.objects.update(status=Status.DONE, done_at=clock.now())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integration_delivery")
    run_out(*(f"NEW-{n}" for n in range(200)))

    claims = claim(IN_TRANSACTION, limit)

    assert len(claims) == Delivery.objects.filter(attempts=1).count() == limit


def test_a_worker_stops_after_a_while_and_sends_itself_a_wake_up(
    listen: Listen, run_out: RunOut, woken: list[DeliveryQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "LONGEST_WAKE", -1.0)
    monkeypatch.setitem(external.claim_sizes, EXTERNAL, 1)
    listen(_open, external=True)
    run_out("MUG", "LAMP")

    assert deliver_due(EXTERNAL) == 1
    assert {*woken} == {EXTERNAL}
    assert deliver_due(EXTERNAL) == 1


@pytest.mark.parametrize(("waiting", "wakeups"), [(BATCH - 1, 0), (BATCH, 1), (3 * BATCH, 1)])
def test_a_worker_that_claims_a_full_batch_wakes_one_more_worker(
    listen: Listen, run_out: RunOut, woken: list[DeliveryQueue], waiting: int, wakeups: int
) -> None:
    listen(lambda event: None)
    run_out(*(f"S{n}" for n in range(waiting)))
    woken.clear()

    assert deliver_due(IN_TRANSACTION) == waiting
    assert woken == [IN_TRANSACTION] * wakeups


# --- Failure ---


def test_a_failure_uses_up_an_attempt_records_the_error_and_rolls_back(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    def open_and_fail(event: StockRanOut) -> None:
        _open(event)
        _fail(event)

    listen(open_and_fail)
    run_out("MUG")

    deliver()

    failed = delivery()
    assert (failed.status, failed.attempts, failed.error) == (Status.PENDING, 1, "HandlerError: no MUG for you")
    assert "open_and_fail" in failed.traceback
    assert _skus() == set()
    assert failed.due_at > clock.now()


def test_a_failed_delivery_is_retried_later_and_can_succeed(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, later: Later
) -> None:
    failures = [True, True, False]

    def fail_twice(event: StockRanOut) -> None:
        if failures.pop(0):
            raise HandlerError
        _open(event)

    listen(fail_twice)
    run_out("MUG")
    for _ in range(3):
        assert deliver() == 1
        assert deliver() == 0
        later(timedelta(minutes=11))

    done = delivery()
    assert (done.status, done.attempts, done.error, done.traceback) == (Status.DONE, 3, "", "")
    assert _skus() == {"MUG"}


def test_a_failure_of_the_last_attempt_makes_a_dead_letter(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, later: Later
) -> None:
    listen(_fail)
    run_out("MUG")
    for attempt in (1, 2, 3):
        assert delivery().status == Status.PENDING
        assert deliver() == 1
        assert delivery().attempts == attempt
        later(timedelta(minutes=11))

    dead = delivery()
    assert (dead.status, dead.error) == (Status.DEAD, "HandlerError: no MUG for you")
    assert "Traceback" in dead.traceback
    assert dead.done_at is None
    assert deliver() == 0


def test_other_deliveries_of_a_batch_do_not_wait_for_a_failed_one(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, later: Later
) -> None:
    listen(lambda event: _fail(event) if event.sku == "BAD" else _open(event))
    run_out("A", "B", "BAD", "C", "D")

    deliver()

    assert _skus() == {"A", "B", "C", "D"}
    assert (delivery("BAD").status, delivery("BAD").attempts) == (Status.PENDING, 1)
    assert {delivery(sku).attempts for sku in "ABCD"} == {1}

    later(timedelta(minutes=11))
    run_out("E")
    deliver()

    assert delivery("E").status == Status.DONE
    assert delivery("BAD").attempts == 2


def test_a_failure_of_one_consumer_does_not_affect_another(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(_fail, name="inventory.reorder")
    listen(_open, name="inventory.open")
    run_out("MUG")

    deliver()

    assert dict(Delivery.objects.values_list("consumer", "status")) == {
        "inventory.reorder": Status.PENDING,
        "inventory.open": Status.DONE,
    }


def test_a_failed_external_call_uses_up_an_attempt(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    listen(_fail, external=True)
    run_out("MUG")

    deliver()

    assert (delivery().status, delivery().attempts) == (Status.PENDING, 1)
    assert delivery().error == "HandlerError: no MUG for you"


@pytest.mark.parametrize(
    "text",
    ["a nul \x00", "a lone surrogate \ud800", "long " * 100_000, ""],
    ids=["a nul", "a lone surrogate", "long", "empty"],
)
def test_any_error_text_can_be_stored(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, text: str
) -> None:
    def fail(event: StockRanOut) -> None:
        raise HandlerError(text)

    listen(fail)
    run_out("MUG")

    raised = ""
    try:
        deliver()
    except (ValueError, DatabaseError) as error:
        raised = type(error).__name__

    assert raised == ""
    assert delivery().attempts == 1
    assert delivery().error.startswith("HandlerError: " + text[:5])


@pytest.mark.parametrize(("attempt", "least", "most"), [(1, 0.5, 1.0), (2, 1.0, 2.0)])
def test_a_failed_delivery_waits_for_the_back_off_of_its_attempt(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, attempt: int, least: float, most: float
) -> None:
    listen(_fail)
    run_out("MUG")
    Delivery.objects.update(attempts=attempt - 1)

    deliver()

    assert least <= _due_in(delivery()) <= most


# --- Too early ---


@pytest.fixture
def early(listen: Listen, run_out: RunOut) -> None:
    """A message whose handler always raises `NotYet`."""

    def wait(event: StockRanOut) -> None:
        raise NotYet("the order is not there yet")

    listen(wait)
    run_out("MUG")


def test_an_early_delivery_is_retried_soon_without_using_up_an_attempt(
    early: None, deliver: Deliver, delivery: Find, later: Later
) -> None:
    waits = []
    for _ in range(10):
        assert deliver() == 1
        waiting = delivery()
        assert (waiting.status, waiting.attempts) == (Status.PENDING, 0)
        assert waiting.error == "NotYet: the order is not there yet"
        waits.append(_due_in(waiting) - CLOCKS_DIFFER.total_seconds())
        later(timedelta(seconds=1))

    assert 0.005 <= waits[0] <= 0.01
    assert all(0.25 <= wait <= 0.5 for wait in waits[1:])


def test_an_early_delivery_has_all_its_time_from_its_first_attempt(
    early: None, deliver: Deliver, delivery: Find, later: Later
) -> None:
    later(timedelta(hours=1))  # nothing was handled, because something was down

    deliver()
    assert delivery().attempts == 0
    assert _due_in(delivery()) - CLOCKS_DIFFER.total_seconds() <= 0.01

    later(timedelta(minutes=4))
    deliver()
    assert delivery().attempts == 0
    later(timedelta(minutes=1))
    deliver()
    assert delivery().attempts == 1


def test_a_replayed_delivery_has_all_its_time_again(
    early: None, deliver: Deliver, delivery: Find, later: Later
) -> None:
    deliver()
    later(timedelta(hours=1))
    replay(Delivery.objects.all())

    deliver()

    assert delivery().attempts == 0


def test_a_worker_waits_briefly_for_an_early_delivery(
    listen: Listen, run_out: RunOut, delivery: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    paused: list[float] = []

    def wait_twice(event: StockRanOut) -> None:
        tried.append(event.sku)
        if len(tried) < 3:
            raise NotYet

    def pause(seconds: float) -> None:
        paused.append(seconds)
        clock.advance(timedelta(seconds=seconds))

    monkeypatch.setattr(delivering.clock, "pause", pause)
    listen(wait_twice)
    run_out("MUG")

    assert deliver_due(IN_TRANSACTION) == 3
    assert delivery("MUG").status == Status.DONE
    assert len(paused) == 2
    assert max(paused) <= delivering.LONGEST_EARLY_WAIT


def test_a_worker_waits_for_many_early_deliveries_together(
    listen: Listen, run_out: RunOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: Counter[str] = Counter()

    def wait_once(event: StockRanOut) -> None:
        tried[event.sku] += 1
        if tried[event.sku] == 1:
            raise NotYet

    monkeypatch.setattr(delivering.clock, "pause", lambda seconds: clock.advance(timedelta(seconds=seconds)))
    listen(wait_once)
    run_out(*(f"MUG-{n}" for n in range(20)))

    assert deliver_due(IN_TRANSACTION) == 40
    assert not Delivery.objects.exclude(status=Status.DONE).exists()


def test_a_worker_that_released_deliveries_does_not_wait(
    listen: Listen, run_out: RunOut, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []

    def fail_slowly(event: StockRanOut) -> None:
        clock.advance(timedelta(seconds=0.06))
        if event.sku == "BAD":
            raise HandlerError
        raise NotYet

    monkeypatch.setattr(delivering.clock, "pause", paused.append)
    monkeypatch.setattr(delivering, "LONGEST_WAKE", 0.01)
    listen(fail_slowly)
    run_out("BAD", "MUG", "LAMP", "VASE")

    deliver_due(IN_TRANSACTION)

    assert paused == []
    assert Delivery.objects.filter(attempts=0, due_at__lte=clock.now()).exists()


def test_a_worker_does_not_wait_for_a_delivery_that_has_long_been_early(
    early: None, deliver: Deliver, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []
    deliver()
    monkeypatch.setattr(delivering.clock, "pause", paused.append)
    later(timedelta(seconds=1))

    assert deliver() == 1
    assert paused == []


def test_after_the_timeout_an_early_delivery_uses_up_attempts(
    early: None, deliver: Deliver, delivery: Find, later: Later
) -> None:
    deliver()
    assert delivery().attempts == 0

    for attempt in (1, 2, 3):
        later(timedelta(minutes=11))
        deliver()
        assert delivery().attempts == attempt

    assert delivery().status == Status.DEAD


def test_an_early_delivery_does_not_delay_others(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    def wait_for_mugs(event: StockRanOut) -> None:
        if event.sku == "MUG":
            raise NotYet
        _open(event)

    listen(wait_for_mugs)
    run_out("MUG", "LAMP")

    deliver()

    assert delivery("LAMP").status == Status.DONE
    assert (delivery("MUG").status, delivery("MUG").attempts) == (Status.PENDING, 0)


def _wait_for_mugs(event: StockRanOut) -> None:
    """Raise `NotYet` for mugs, after a query inside a joined unit of work; open stock items for other SKUs."""
    with unit_of_work() as work:
        if event.sku.startswith("MUG"):
            work.find(StockItem, event.sku)
            raise NotYet("no mugs yet")
    _open(event)


def test_early_deliveries_are_rescheduled_and_the_others_handled_in_one_transaction(
    listen: Listen, run_out: RunOut, delivery: Find, later: Later
) -> None:
    batches: list[list[str]] = []
    listen(_wait_for_mugs, prepare=lambda events: batches.append([event.sku for event in events]))
    run_out("A", "MUG-1", "B", "MUG-2", "C")

    assert deliver_due(IN_TRANSACTION) == 5

    assert batches == [["A", "MUG-1", "B", "MUG-2", "C"]]
    assert _skus() == {"A", "B", "C"}
    assert {delivery(sku).status for sku in "ABC"} == {Status.DONE}
    for sku in ("MUG-1", "MUG-2"):
        waiting = delivery(sku)
        assert (waiting.status, waiting.attempts, waiting.error) == (Status.PENDING, 0, "NotYet: no mugs yet")
        assert "_wait_for_mugs" in waiting.traceback
        assert CLOCKS_DIFFER.total_seconds() < _due_in(waiting) <= 0.6

    later(timedelta(seconds=1))
    assert deliver_due(IN_TRANSACTION) == 2
    assert batches[1:] == [["MUG-1", "MUG-2"]]


def test_rescheduling_many_needs_as_many_statements_as_one(
    listen: Listen, run_out: RunOut, statements: Callable[[], Any]
) -> None:
    def wait_for_mugs(event: StockRanOut) -> None:
        if event.sku.startswith("MUG"):
            raise NotYet

    listen(wait_for_mugs)
    counts = []
    for number in (1, 20):
        run_out("LAMP", *(f"MUG-{n}" for n in range(number)))
        with statements() as seen:
            deliver_due(IN_TRANSACTION)
        counts.append(len(seen))
        Delivery.objects.filter(status=Status.PENDING).update(status=Status.DONE, done_at=clock.now())

    # claim, read, mark done, reschedule; claim again, because the early ones may be due by now
    assert counts == [5, 5]


def _publish(event: StockRanOut) -> None:
    publish(StockReplenished(sku=event.sku, available=1, sequence=1))


def _write_a_row(event: StockRanOut) -> None:
    with bypassing_history():
        StockItem.objects.filter(pk="LAMP").update(on_hand=77)


def _wake_after_commit(event: StockRanOut) -> None:
    transaction.on_commit(lambda: None)


def _swallow(event: StockRanOut) -> None:
    with suppress(NotFound):
        receive_stock(Sku("NO-SUCH"), 1)


@pytest.mark.parametrize("change", [_open, _publish, _write_a_row, _wake_after_commit, _swallow])
def test_a_handler_that_writes_before_raising_not_yet_rolls_back_its_batch(
    change: Callable[[StockRanOut], None], listen: Listen, run_out: RunOut, delivery: Find
) -> None:
    batches: list[list[str]] = []

    def change_and_wait(event: StockRanOut) -> None:
        if event.sku == "MUG":
            change(event)
            raise NotYet("no mugs yet")
        _open(event)

    open_stock_item(Sku("LAMP"))
    listen(change_and_wait, prepare=lambda events: batches.append([event.sku for event in events]))
    run_out("A", "MUG", "B")

    deliver_due(IN_TRANSACTION)

    assert batches == [["A", "MUG", "B"], ["A"], ["MUG"], ["B"]]
    assert _skus() == {"A", "B", "LAMP"}
    assert StockItem.objects.get(pk="LAMP").on_hand == 0
    assert not Message.objects.filter(name=StockReplenished.wire_name).exists()
    assert {delivery(sku).status for sku in "AB"} == {Status.DONE}
    waiting = delivery("MUG")
    assert (waiting.status, waiting.attempts, waiting.error) == (Status.PENDING, 0, "NotYet: no mugs yet")


def test_after_the_timeout_an_early_delivery_does_not_delay_others(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, later: Later
) -> None:
    listen(_wait_for_mugs)
    run_out("MUG")
    deliver()
    later(timedelta(minutes=6))
    run_out("A", "B")

    deliver()

    assert _skus() == {"A", "B"}
    assert (delivery("MUG").status, delivery("MUG").attempts) == (Status.PENDING, 1)


# --- Data that does not fit the contract ---


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"sku": 7, "sequence": "many"}, "ValidationError: "),
        ({}, "ValidationError: Object missing required field `sku`"),
        ([], "ValidationError: Expected `object`, got `array`"),
    ],
    ids=["wrong types", "nothing", "a list"],
)
def test_invalid_data_is_a_failure_and_other_deliveries_are_handled(
    data: object,
    error: str,
    listen: Listen,
    run_out: RunOut,
    deliver: Deliver,
    later: Later,
) -> None:
    listen(_open)
    run_out("MUG", "LAMP")
    invalid = Delivery.objects.earliest("id")
    Message.objects.filter(pk=invalid.message_id).update(data=data)

    for status in (Status.PENDING, Status.PENDING, Status.DEAD):
        deliver()
        invalid.refresh_from_db()
        assert invalid.status == status
        assert invalid.error.startswith(error)
        later(timedelta(minutes=11))

    assert _skus() == {"LAMP"}


# --- Claims ---


def test_a_claimed_delivery_is_not_claimed_again_before_its_lease_ends(
    listen: Listen, run_out: RunOut, delivery: Find, later: Later
) -> None:
    listen(_open)
    run_out("MUG")

    first = claim(IN_TRANSACTION, 10)
    assert [each.attempt for each in first] == [1]
    assert claim(IN_TRANSACTION, 10) == []

    later(AFTER_THE_LEASE)
    second = claim(IN_TRANSACTION, 10)
    assert [(each.id, each.attempt) for each in second] == [(first[0].id, 2)]


def test_the_attempt_of_a_worker_that_died_is_counted(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, later: Later
) -> None:
    listen(_open)
    run_out("MUG")
    claim(IN_TRANSACTION, 10)
    later(AFTER_THE_LEASE)

    assert deliver() == 1

    assert (delivery().status, delivery().attempts) == (Status.DONE, 2)
    assert _skus() == {"MUG"}


def test_a_message_that_kills_every_worker_becomes_a_dead_letter(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, later: Later
) -> None:
    listen(_open)
    run_out("MUG")
    for attempt in (1, 2, 3):
        assert [each.attempt for each in claim(IN_TRANSACTION, 10)] == [attempt]
        later(AFTER_THE_LEASE)

    deliver()

    assert delivery().status == Status.DEAD
    assert delivery().error.startswith("WorkerDied: ")
    assert _skus() == set()


def test_a_worker_that_lost_its_claim_does_not_handle_the_delivery(
    listen: Listen, run_out: RunOut, delivery: Find
) -> None:
    listen(_open)
    run_out("MUG")
    mine = claim(IN_TRANSACTION, 10)
    Delivery.objects.update(attempts=2)

    delivering._attempt("inventory.reorder", mine, [])

    assert _skus() == set()
    assert (delivery().status, delivery().attempts, delivery().error) == (Status.PENDING, 2, "")


def test_a_worker_that_lost_its_claim_records_no_error(listen: Listen, run_out: RunOut, delivery: Find) -> None:
    listen(_fail, external=True)
    run_out("MUG")

    def fail_late(event: StockRanOut) -> None:
        Delivery.objects.update(status=Status.DONE, done_at=clock.now())
        _fail(event)

    listen(fail_late, name="inventory.late", external=True)
    Delivery.objects.update(consumer="inventory.late")

    deliver_due(EXTERNAL)

    assert (delivery().status, delivery().error) == (Status.DONE, "")


def test_a_worker_rolls_back_if_another_worker_settled_the_delivery(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    def lose_the_claim(event: StockRanOut) -> None:
        _open(event)
        Delivery.objects.update(status=Status.DONE, done_at=clock.now())

    listen(lose_the_claim)
    run_out("MUG")

    assert deliver() == 1
    assert _skus() == set()
    assert delivery().error == ""


def test_a_lost_claim_does_not_affect_other_deliveries_of_the_batch(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    def lose_the_claim(event: StockRanOut) -> None:
        _open(event)
        if event.sku == "LAMP":
            Delivery.objects.filter(message__data__sku="LAMP").update(status=Status.DONE, done_at=clock.now())

    listen(lose_the_claim)
    run_out("MUG", "LAMP", "ATLAS")

    deliver()

    assert _skus() == {"MUG", "ATLAS"}
    assert {delivery(sku).status for sku in ("MUG", "ATLAS")} == {Status.DONE}


def test_committed_deliveries_of_a_batch_are_not_retried_when_a_later_one_fails(
    listen: Listen, run_out: RunOut, delivery: Find
) -> None:
    tried: list[str] = []

    def fail_at_the_third(event: StockRanOut) -> None:
        tried.append(event.sku)
        clock.advance(timedelta(seconds=0.11))
        if event.sku == "C":
            raise HandlerError

    listen(fail_at_the_third)
    run_out("A", "B", "C", "D")
    claims = claim(IN_TRANSACTION, BATCH)

    delivering._attempt("inventory.reorder", claims, [])

    # A and B each fill a transaction.
    assert tried[:4] == ["A", "B", "C", "C"]
    assert {delivery(sku).status for sku in "AB"} == {Status.DONE}
    assert delivery("C").error.startswith("HandlerError")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
def test_a_row_locked_by_a_concurrent_claim_is_looked_for_again(
    listen: Listen, run_out: RunOut, delivery: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(_open)
    run_out("MUG", "LAMP")
    claims = claim(IN_TRANSACTION, BATCH)
    with closing(connection.copy()) as other:
        # A claiming transaction locks the rows of its snapshot before it sees that another has claimed them.
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM integration_delivery WHERE id = %s FOR UPDATE", [claims[0].id])
        monkeypatch.setattr(delivering.clock, "pause", lambda seconds: other.rollback())

        delivering._attempt("inventory.reorder", claims, [])

    assert {delivery(sku).status for sku in ("MUG", "LAMP")} == {Status.DONE}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
@pytest.mark.parametrize("how", ["together", "one by one", "unknown"])
def test_a_delivery_that_stays_locked_is_released_and_does_not_wait_for_the_end_of_its_lease(
    how: str, listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that parks or erases many deliveries locks them for longer than a worker looks for them."""

    def handle(event: StockRanOut) -> None:
        if event.sku == "BAD":
            raise HandlerError
        _open(event)

    listen(handle)
    run_out("MUG", "LAMP", *(["BAD"] if how == "one by one" else []))
    if how == "unknown":
        Delivery.objects.update(consumer="inventory.mend")
    claim_some, release = delivering.claim, delivering.release
    with closing(connection.copy()) as other:
        other.set_autocommit(False)

        def claim_and_lose_one_to_a_lock(*arguments: Any, **options: Any) -> Any:
            monkeypatch.setattr(delivering, "claim", claim_some)
            claims = claim_some(*arguments, **options)
            with other.cursor() as cursor:
                cursor.execute("SELECT id FROM integration_delivery WHERE id = %s FOR UPDATE", [claims[0].id])
            return claims

        def release_once_the_lock_has_gone(*arguments: Any) -> None:
            assert ("LAMP", "inventory.mend")[how == "unknown"] in str(_settled_or_parked())
            other.rollback()
            release(*arguments)

        monkeypatch.setattr(delivering, "claim", claim_and_lose_one_to_a_lock)
        monkeypatch.setattr(delivering, "release", release_once_the_lock_has_gone)
        deliver()

    for sku in ("MUG", "LAMP"):
        facts = delivery(sku).status, delivery(sku).attempts, delivery(sku).parked_as is not None
        assert facts == ((Status.PENDING, 0, True) if how == "unknown" else (Status.DONE, 1, False))


def _settled_or_parked() -> list[Any]:
    return [
        (each.message.data["sku"], each.parked_as)
        for each in Delivery.objects.select_related("message")
        if each.status == Status.DONE or each.parked_as
    ]


def test_deliveries_left_for_lack_of_time_are_released(
    listen: Listen, run_out: RunOut, woken: list[DeliveryQueue], delivery: Find
) -> None:
    handled: list[str] = []

    def take_a_second_each(event: StockRanOut) -> None:
        if event.sku == "BAD":
            raise HandlerError
        clock.advance(timedelta(seconds=1.1))
        handled.append(event.sku)

    listen(take_a_second_each)
    run_out("BAD", "MUG", "LAMP")
    claims = claim(IN_TRANSACTION, BATCH)

    left = delivering._attempt("inventory.reorder", claims, [])
    assert [each.id for each in left] == [delivery("LAMP").pk]

    outcomes.release(IN_TRANSACTION, left)

    assert handled == ["MUG"]
    assert (delivery("LAMP").status, delivery("LAMP").attempts) == (Status.PENDING, 0)
    assert [each.id for each in claim(IN_TRANSACTION, BATCH)] == [claims[2].id]
    assert woken == [IN_TRANSACTION]


def test_an_external_worker_does_not_overwrite_done(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    long_ago = clock.now() - timedelta(minutes=1)
    listen(lambda event: Delivery.objects.update(status=Status.DONE, done_at=long_ago), external=True)
    run_out("MUG")

    assert deliver() == 1
    assert (delivery().status, delivery().done_at, delivery().error) == (Status.DONE, long_ago, "")


def test_a_delivery_is_handled_only_when_it_is_due(
    listen: Listen, run_out: RunOut, deliver: Deliver, later: Later
) -> None:
    listen(_open)
    run_out("MUG")
    Delivery.objects.update(due_at=clock.now() + timedelta(hours=1))

    assert due_delivery_queues() == []
    assert deliver() == 0

    later(timedelta(hours=2))
    assert due_delivery_queues() == [IN_TRANSACTION]
    assert deliver() == 1


def test_a_delivery_published_by_a_clock_slightly_ahead_is_due_at_once(
    listen: Listen, run_out: RunOut, deliver: Deliver, stopped_clock: None
) -> None:
    listen(_open)
    with clock.moved(CLOCKS_DIFFER):
        run_out("MUG")
    with clock.moved(2 * CLOCKS_DIFFER):
        run_out("LAMP")

    assert due_delivery_queues() == [IN_TRANSACTION]
    assert deliver() == 1
    assert _skus() == {"MUG"}


def test_dead_letters_are_not_due(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(_open)
    run_out("MUG")
    Delivery.objects.update(status=Status.DEAD)

    assert due_delivery_queues() == []
    assert deliver() == 0
    assert Sku("MUG") not in _skus()


def test_later_attempts_are_claimed_in_smaller_batches(listen: Listen, run_out: RunOut, later: Later) -> None:
    listen(_open)
    run_out(*(f"MUG-{n}" for n in range(8)))

    claimed = []
    for _ in range(3):
        claimed.append([])
        while claims := claim(IN_TRANSACTION, BATCH):
            claimed[-1].append([each.attempt for each in claims])
        later(AFTER_THE_LEASE)

    assert claimed == [[[1] * 8], [[2] * 6, [2] * 2], [[3]] * 8]


def test_new_deliveries_do_not_delay_retried_ones(listen: Listen, run_out: RunOut, later: Later) -> None:
    listen(_open)
    run_out("MUG")
    held_by_a_dead_worker = claim(IN_TRANSACTION, BATCH)
    later(AFTER_THE_LEASE)
    run_out("LAMP", "JUG")

    claims = [claim(IN_TRANSACTION, BATCH) for _ in range(3)]

    assert [[each.attempt for each in claimed] for claimed in claims] == [[2], [1, 1], []]
    assert claims[0][0].id == held_by_a_dead_worker[0].id


def test_deliveries_whose_first_attempt_was_lost_are_claimed_first(
    listen: Listen, run_out: RunOut, later: Later
) -> None:
    listen(_open)
    run_out("MUG")
    later(AFTER_THE_LEASE)
    (held_by_a_dead_worker,) = claim(IN_TRANSACTION, BATCH)
    with clock.moved(-AFTER_THE_LEASE):
        run_out("LAMP", "JUG")
    later(AFTER_THE_LEASE)

    assert [each.id for each in claim(IN_TRANSACTION, BATCH)] == [held_by_a_dead_worker.id]
    assert len(claim(IN_TRANSACTION, BATCH)) == 2


def test_deliveries_that_kill_their_workers_do_not_delay_others(listen: Listen, run_out: RunOut, later: Later) -> None:
    listen(_open)
    run_out(*(f"KILL-{n}" for n in range(20)))
    for _ in range(2):
        while claim(IN_TRANSACTION, BATCH):
            pass
        later(AFTER_THE_LEASE)
    run_out("GOOD-1")
    good = Delivery.objects.get(message__data__sku="GOOD-1").pk

    assert [each.id for each in claim(IN_TRANSACTION, BATCH)] == [good]
    Delivery.objects.filter(pk=good).update(status=Status.DONE, done_at=clock.now())
    assert [each.attempt for each in claim(IN_TRANSACTION, BATCH)] == [3], "then what was lost again, one at a time"

    later(LOST_AGAIN_WAITS)
    run_out("GOOD-2")
    assert [each.attempt for each in claim(IN_TRANSACTION, BATCH)] == [3], "but it does not wait for ever"


@pytest.mark.parametrize("error", [HandlerError, NotYet])
def test_a_failed_delivery_is_no_longer_in_flight(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, error: type[Exception]
) -> None:
    def fail(event: StockRanOut) -> None:
        raise error

    listen(fail)
    run_out("MUG")
    claim(IN_TRANSACTION, BATCH)
    assert delivery().in_flight
    Delivery.objects.update(due_at=clock.now())

    deliver()

    assert not delivery().in_flight
