"""Exactly once in effect: a delivery is handled and marked done in one transaction, tried again, or a dead letter."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from pytest_django import Settings

from integration.aggregates.unit_of_work import current_unit_of_work, unit_of_work
from integration.contracts.inventory import StockRanOut, StockReplenished
from integration.domain import clock
from integration.domain.errors import NotFound, NotYet
from integration.domain.identifiers import Sku
from integration.domain.metadata import current_cause
from integration.messaging import deliver as delivering
from integration.messaging import external, outcomes
from integration.messaging.claim import BATCH, CLOCKS_DIFFER, LEASE, claim, due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.outcomes import back_off
from integration.messaging.publish import publish
from integration.messaging.wakeups import DeliveryQueue
from inventory.commands import open_stock_item, receive_stock
from inventory.models import History, StockItem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

INSIDE, OUTSIDE = DeliveryQueue("inventory", False), DeliveryQueue("inventory", True)
AFTER_THE_LEASE = LEASE + timedelta(seconds=1)

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Find = Callable[..., Delivery]
Later = Callable[[timedelta], None]


class Trouble(Exception):
    """A handler's own."""


@pytest.fixture(autouse=True)
def three_attempts(settings: Settings) -> None:
    settings.DELIVERY_MAX_ATTEMPTS = 3
    settings.NOT_YET_TIMEOUT = timedelta(minutes=5)


def _open(event: StockRanOut) -> None:
    """A reaction with an effect: there is a place on the shelf for the sku."""
    open_stock_item(event.sku)


def _fail(event: StockRanOut) -> None:
    raise Trouble(f"no {event.sku} for you")


def _skus() -> set[str]:
    return set(StockItem.objects.values_list("sku", flat=True))


def _due_in(delivery: Delivery) -> float:
    return (delivery.due_at - clock.now()).total_seconds()


# --- Once, and with its effect ---


def test_each_consumer_handles_each_message_once(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    heard: Counter[tuple[str, str]] = Counter()
    listen(lambda event: heard.update([("reorder", event.sku)]), name="inventory.reorder")
    listen(lambda event: heard.update([("count", event.sku)]), name="inventory.count")
    listen(lambda event: heard.update([("mail", event.sku)]), name="inventory.mail", external=True)
    run_out("MUG", "LAMP")

    assert deliver() == 6
    assert deliver() == 0

    assert heard == Counter((who, sku) for who in ("reorder", "count", "mail") for sku in ("MUG", "LAMP"))
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


def test_done_and_its_effect_are_one_transaction(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_to_mark(deliveries: object) -> None:
        raise Trouble

    monkeypatch.setattr(delivering, "mark_done", fail_to_mark)
    listen(_open)
    run_out("MUG")

    deliver()

    assert _skus() == set()
    assert (delivery().status, delivery().attempts) == (Status.PENDING, 1)


def test_done_has_its_moment(listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find) -> None:
    listen(_open)
    run_out("MUG")
    before = clock.now()

    deliver()

    done_at = delivery().done_at
    assert done_at is not None
    assert before <= done_at <= clock.now()


def test_other_lanes_are_left_to_their_own_workers(listen: Listen, run_out: RunOut) -> None:
    heard: list[str] = []
    listen(lambda event: heard.append("inside"))
    listen(lambda event: heard.append("external"), name="inventory.mail", external=True)
    listen(lambda event: heard.append("elsewhere"), name="billing.note")
    run_out("MUG")

    assert deliver_due(OUTSIDE) == 1
    assert heard == ["external"]
    assert sorted(due_delivery_queues()) == [DeliveryQueue("billing", False), INSIDE]


def test_what_a_message_causes_belongs_to_its_story(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(_open)
    run_out("MUG", "LAMP")
    Message.objects.filter(data__sku="LAMP").update(correlation_id="018f0000-0000-7000-8000-000000000001")

    deliver()

    for entry in History.objects.all():
        message = Message.objects.get(data__sku=entry.stream_id)
        assert entry.correlation_id == message.correlation_id


def test_a_reaction_is_inside_a_transaction_and_talk_with_the_outside_world_is_not(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    seen: dict[str, bool] = {}

    def look(where: str) -> None:
        try:
            current_unit_of_work()
            seen[where] = True
        except RuntimeError:
            seen[where] = False

    listen(lambda event: look("inside"))
    listen(lambda event: look("external"), name="inventory.mail", external=True)
    run_out("MUG")

    deliver()

    assert seen == {"inside": True, "external": False}


def test_the_outside_world_is_talked_to_in_the_story_of_the_message(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    seen: list[object] = []
    listen(lambda event: seen.append(current_cause().correlation_id), external=True)
    run_out("MUG")

    deliver()

    assert seen == [Message.objects.get().correlation_id]


@pytest.mark.django_db(transaction=True)
def test_the_outside_world_is_talked_to_without_a_transaction(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    seen: list[bool] = []
    listen(lambda event: seen.append(connection.in_atomic_block))
    listen(lambda event: seen.append(connection.in_atomic_block), name="inventory.mail", external=True)
    run_out("MUG")

    deliver()

    assert seen == [True, False]


# --- Many at once ---


def test_a_batch_takes_as_many_statements_as_one(
    listen: Listen, run_out: RunOut, statements: Callable[[], Any]
) -> None:
    heard: list[str] = []
    listen(lambda event: heard.append(event.sku), prepare=lambda events: None)
    counts = []
    for number in (1, BATCH):
        run_out(*(f"S{n}" for n in range(number)))
        with statements() as seen:
            deliver_due(INSIDE)
        counts.append(len(seen))

    # claim, read, mark done; and, as there may be more than a batch, a claim that finds nothing
    assert counts == [3, 4]
    assert len(heard) == 1 + BATCH


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_one_commit(listen: Listen, run_out: RunOut, monkeypatch: pytest.MonkeyPatch) -> None:
    listen(_open)
    run_out(*(f"S{n}" for n in range(BATCH)))
    commits: list[int] = []
    commit = connections["default"].commit
    monkeypatch.setattr(connections["default"], "commit", lambda: (commits.append(1), commit()))

    deliver_due(INSIDE)

    assert len(commits) == 1
    assert len(_skus()) == BATCH


def test_what_a_batch_needs_is_prepared_once_with_all_its_events(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    order: list[object] = []
    listen(lambda event: order.append(event.sku), prepare=lambda events: order.append([e.sku for e in events]))
    run_out("MUG", "LAMP", "ATLAS")

    deliver()

    assert order == [["MUG", "LAMP", "ATLAS"], "MUG", "LAMP", "ATLAS"]


def test_more_than_a_batch_is_handled_in_several_oldest_first(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    batches: list[int] = []
    heard: list[str] = []
    listen(lambda event: heard.append(event.sku), prepare=lambda events: batches.append(len(events)))
    skus = [f"S{n}" for n in range(2 * BATCH + 1)]
    run_out(*skus)

    assert deliver() == 2 * BATCH + 1
    assert batches == [BATCH, BATCH, 1]
    assert heard == skus


def test_it_begins_with_no_more_than_it_will_do_in_time(
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
    assert batches == [10, 4, 4, 4, 2]  # of which two are done each time

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
def test_a_claim_takes_no_more_than_its_limit_whatever_the_database_plans(
    listen: Listen, run_out: RunOut, limit: int
) -> None:
    # What a database knows after a long quiet time: many deliveries, none of them pending. Then there is a rush.
    listen(_open)
    run_out(*(f"OLD-{n}" for n in range(2000)))
    Delivery.objects.update(status=Status.DONE, done_at=clock.now())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integration_delivery")
    run_out(*(f"NEW-{n}" for n in range(200)))

    claims = claim(INSIDE, limit)

    assert len(claims) == Delivery.objects.filter(attempts=1).count() == limit


def test_a_worker_makes_room_for_others_after_a_while_and_rings_for_itself(
    listen: Listen, run_out: RunOut, woken: list[DeliveryQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "LONGEST_WAKE", -1.0)
    monkeypatch.setitem(external.claim_sizes, OUTSIDE, 1)
    listen(_open, external=True)
    run_out("MUG", "LAMP")

    assert deliver_due(OUTSIDE) == 1
    assert woken == [OUTSIDE]
    assert deliver_due(OUTSIDE) == 1


@pytest.mark.parametrize(("waiting", "rings"), [(BATCH - 1, 0), (BATCH, 1), (3 * BATCH, 1)])
def test_a_worker_that_finds_a_whole_batch_rings_once_for_a_colleague(
    listen: Listen, run_out: RunOut, woken: list[DeliveryQueue], waiting: int, rings: int
) -> None:
    listen(lambda event: None)
    run_out(*(f"S{n}" for n in range(waiting)))
    woken.clear()

    assert deliver_due(INSIDE) == waiting
    assert woken == [INSIDE] * rings


# --- Failure ---


def test_a_failure_counts_tells_why_and_takes_its_effect_back(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    def open_and_fail(event: StockRanOut) -> None:
        _open(event)
        _fail(event)

    listen(open_and_fail)
    run_out("MUG")

    deliver()

    failed = delivery()
    assert (failed.status, failed.attempts, failed.error) == (Status.PENDING, 1, "Trouble: no MUG for you")
    assert "open_and_fail" in failed.traceback
    assert _skus() == set()
    assert failed.due_at > clock.now()


def test_a_failure_is_tried_again_after_a_while_and_may_succeed(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, later: Later
) -> None:
    troubles = [True, True, False]

    def fail_twice(event: StockRanOut) -> None:
        if troubles.pop(0):
            raise Trouble
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


def test_the_last_failure_makes_a_dead_letter(
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
    assert (dead.status, dead.error) == (Status.DEAD, "Trouble: no MUG for you")
    assert "Traceback" in dead.traceback
    assert dead.done_at is None
    assert deliver() == 0


def test_neighbours_are_not_held_up(
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


def test_one_consumers_failure_is_nobody_elses(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(_fail, name="inventory.reorder")
    listen(_open, name="inventory.open")
    run_out("MUG")

    deliver()

    assert dict(Delivery.objects.values_list("consumer", "status")) == {
        "inventory.reorder": Status.PENDING,
        "inventory.open": Status.DONE,
    }


def test_a_failure_outside_is_counted_as_well(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    listen(_fail, external=True)
    run_out("MUG")

    deliver()

    assert (delivery().status, delivery().attempts) == (Status.PENDING, 1)
    assert delivery().error == "Trouble: no MUG for you"


@pytest.mark.parametrize(
    "text",
    ["a nul \x00", "half a character \ud800", "long " * 100_000, ""],
    ids=["a nul", "half a character", "long", "nothing"],
)
def test_whatever_an_error_says_it_is_written_down(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, text: str
) -> None:
    def fail(event: StockRanOut) -> None:
        raise Trouble(text)

    listen(fail)
    run_out("MUG")

    stumbled_over = ""
    try:
        deliver()
    except (ValueError, DatabaseError) as error:
        stumbled_over = type(error).__name__

    assert stumbled_over == ""
    assert delivery().attempts == 1
    assert delivery().error.startswith("Trouble: " + text[:5])


def test_waiting_grows_and_is_bounded() -> None:
    for attempt in range(1, 40):
        longest = min(2 ** (attempt - 1), 600)
        waits = [back_off(attempt).total_seconds() for _ in range(50)]
        assert longest / 2 <= min(waits)
        assert max(waits) <= longest
        assert len(set(waits)) > 1


@pytest.mark.parametrize(("attempt", "least", "most"), [(1, 0.5, 1.0), (2, 1.0, 2.0)])
def test_a_failed_delivery_waits_as_long_as_its_attempt_says(
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
    """A message that comes too early, for ever."""

    def wait(event: StockRanOut) -> None:
        raise NotYet("the order is not there yet")

    listen(wait)
    run_out("MUG")


def test_too_early_is_tried_again_soon_and_costs_no_attempt(
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


def test_a_worker_waits_for_what_is_about_to_be_committed(
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

    assert deliver_due(INSIDE) == 3
    assert delivery("MUG").status == Status.DONE
    assert len(paused) == 2
    assert max(paused) <= delivering.SOON


def test_a_worker_waits_for_all_of_many_that_came_too_early(
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

    assert deliver_due(INSIDE) == 40
    assert not Delivery.objects.exclude(status=Status.DONE).exists()


def test_a_worker_that_gave_something_back_does_not_wait(
    listen: Listen, run_out: RunOut, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []

    def be_slow_and_bad(event: StockRanOut) -> None:
        clock.advance(timedelta(seconds=0.06))
        if event.sku == "BAD":
            raise Trouble
        raise NotYet

    monkeypatch.setattr(delivering.clock, "pause", paused.append)
    monkeypatch.setattr(delivering, "LONGEST_WAKE", 0.01)
    listen(be_slow_and_bad)
    run_out("BAD", "MUG", "LAMP", "VASE")

    deliver_due(INSIDE)

    assert paused == []
    assert Delivery.objects.filter(attempts=0, due_at__lte=clock.now()).exists()


def test_a_worker_does_not_wait_for_what_has_been_too_early_for_long(
    early: None, deliver: Deliver, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []
    monkeypatch.setattr(delivering.clock, "pause", paused.append)
    later(timedelta(seconds=1))

    assert deliver() == 1
    assert paused == []


def test_patience_with_what_is_too_early_ends(early: None, deliver: Deliver, delivery: Find, later: Later) -> None:
    deliver()
    assert delivery().attempts == 0

    for attempt in (1, 2, 3):
        later(timedelta(minutes=11))
        deliver()
        assert delivery().attempts == attempt

    assert delivery().status == Status.DEAD


def test_what_came_too_early_does_not_hold_up_what_came_in_time(
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
    """Find, as a command that joined, that it is too early for mugs; open the others."""
    with unit_of_work() as work:
        if event.sku.startswith("MUG"):
            work.find(StockItem, event.sku)
            raise NotYet("no mugs yet")
    _open(event)


def test_what_came_too_early_is_set_aside_and_its_neighbours_are_handled_in_one_transaction(
    listen: Listen, run_out: RunOut, delivery: Find, later: Later
) -> None:
    batches: list[list[str]] = []
    listen(_wait_for_mugs, prepare=lambda events: batches.append([event.sku for event in events]))
    run_out("A", "MUG-1", "B", "MUG-2", "C")

    assert deliver_due(INSIDE) == 5

    assert batches == [["A", "MUG-1", "B", "MUG-2", "C"]]
    assert _skus() == {"A", "B", "C"}
    assert {delivery(sku).status for sku in "ABC"} == {Status.DONE}
    for sku in ("MUG-1", "MUG-2"):
        waiting = delivery(sku)
        assert (waiting.status, waiting.attempts, waiting.error) == (Status.PENDING, 0, "NotYet: no mugs yet")
        assert "_wait_for_mugs" in waiting.traceback
        assert CLOCKS_DIFFER.total_seconds() < _due_in(waiting) <= 0.6

    later(timedelta(seconds=1))
    assert deliver_due(INSIDE) == 2
    assert batches[1:] == [["MUG-1", "MUG-2"]]


def test_setting_aside_takes_as_many_statements_for_many_as_for_one(
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
            deliver_due(INSIDE)
        counts.append(len(seen))
        Delivery.objects.filter(status=Status.PENDING).update(status=Status.DONE, done_at=clock.now())

    # claim, read, mark done, put off; and claim again, for it may be just in time now
    assert counts == [5, 5]


def _publish(event: StockRanOut) -> None:
    publish(StockReplenished(event.sku, 1, 1))


def _write_a_row(event: StockRanOut) -> None:
    StockItem.objects.filter(pk="LAMP").update(on_hand=77)


def _wake_after_commit(event: StockRanOut) -> None:
    transaction.on_commit(lambda: None)


def _swallow(event: StockRanOut) -> None:
    with suppress(NotFound):
        receive_stock(Sku("NO-SUCH"), 1)


@pytest.mark.parametrize("change", [_open, _publish, _write_a_row, _wake_after_commit, _swallow])
def test_what_changed_something_before_it_found_that_it_came_too_early_is_taken_back_with_its_batch(
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

    deliver_due(INSIDE)

    assert batches == [["A", "MUG", "B"], ["A"], ["MUG"], ["B"]]
    assert _skus() == {"A", "B", "LAMP"}
    assert StockItem.objects.get(pk="LAMP").on_hand == 0
    assert not Message.objects.filter(name=StockReplenished.wire_name).exists()
    assert {delivery(sku).status for sku in "AB"} == {Status.DONE}
    waiting = delivery("MUG")
    assert (waiting.status, waiting.attempts, waiting.error) == (Status.PENDING, 0, "NotYet: no mugs yet")


def test_one_whose_patience_is_over_is_charged_and_its_neighbours_are_handled(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, later: Later
) -> None:
    listen(_wait_for_mugs)
    run_out("MUG")
    later(timedelta(minutes=6))
    run_out("A", "B")

    deliver()

    assert _skus() == {"A", "B"}
    assert (delivery("MUG").status, delivery("MUG").attempts) == (Status.PENDING, 1)


# --- What does not fit its contract ---


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"sku": 7, "sequence": "many"}, "ValidationError: "),
        ({}, "ValidationError: Object missing required field `sku`"),
        ([], "ValidationError: Expected `object`, got `array`"),
    ],
    ids=["wrong types", "nothing", "a list"],
)
def test_facts_that_do_not_fit_are_a_failure_and_their_neighbours_are_handled(
    data: object,
    error: str,
    listen: Listen,
    run_out: RunOut,
    deliver: Deliver,
    later: Later,
) -> None:
    listen(_open)
    run_out("MUG", "LAMP")
    strange = Delivery.objects.earliest("id")
    Message.objects.filter(pk=strange.message_id).update(data=data)

    for status in (Status.PENDING, Status.PENDING, Status.DEAD):
        deliver()
        strange.refresh_from_db()
        assert strange.status == status
        assert strange.error.startswith(error)
        later(timedelta(minutes=11))

    assert _skus() == {"LAMP"}


# --- Claims ---


def test_what_is_claimed_is_not_claimed_again_until_its_lease_has_passed(
    listen: Listen, run_out: RunOut, delivery: Find, later: Later
) -> None:
    listen(_open)
    run_out("MUG")

    first = claim(INSIDE, 10)
    assert [each.attempt for each in first] == [1]
    assert claim(INSIDE, 10) == []

    later(AFTER_THE_LEASE)
    second = claim(INSIDE, 10)
    assert [(each.id, each.attempt) for each in second] == [(first[0].id, 2)]


def test_the_attempt_of_a_worker_that_died_was_counted(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, later: Later
) -> None:
    listen(_open)
    run_out("MUG")
    claim(INSIDE, 10)
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
        assert [each.attempt for each in claim(INSIDE, 10)] == [attempt]
        later(AFTER_THE_LEASE)

    deliver()

    assert delivery().status == Status.DEAD
    assert delivery().error.startswith("WorkerDied: ")
    assert _skus() == set()


def test_a_worker_that_lost_its_claim_leaves_the_delivery_to_the_other(
    listen: Listen, run_out: RunOut, delivery: Find
) -> None:
    listen(_open)
    run_out("MUG")
    mine = claim(INSIDE, 10)
    Delivery.objects.update(attempts=2)

    delivering._attempt("inventory.reorder", mine, [])

    assert _skus() == set()
    assert (delivery().status, delivery().attempts, delivery().error) == (Status.PENDING, 2, "")


def test_a_worker_that_failed_after_it_lost_its_claim_says_nothing_about_it(
    listen: Listen, run_out: RunOut, delivery: Find
) -> None:
    listen(_fail, external=True)
    run_out("MUG")

    def fail_late(event: StockRanOut) -> None:
        Delivery.objects.update(status=Status.DONE, done_at=clock.now())
        _fail(event)

    listen(fail_late, name="inventory.late", external=True)
    Delivery.objects.update(consumer="inventory.late")

    deliver_due(OUTSIDE)

    assert (delivery().status, delivery().error) == (Status.DONE, "")


def test_a_worker_that_was_overtaken_takes_back_what_it_did(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    def be_overtaken(event: StockRanOut) -> None:
        _open(event)
        Delivery.objects.update(status=Status.DONE, done_at=clock.now())

    listen(be_overtaken)
    run_out("MUG")

    assert deliver() == 1
    assert _skus() == set()
    assert delivery().error == ""


def test_neighbours_of_what_another_worker_did_are_handled(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    def be_overtaken(event: StockRanOut) -> None:
        _open(event)
        if event.sku == "LAMP":
            Delivery.objects.filter(message__data__sku="LAMP").update(status=Status.DONE, done_at=clock.now())

    listen(be_overtaken)
    run_out("MUG", "LAMP", "ATLAS")

    deliver()

    assert _skus() == {"MUG", "ATLAS"}
    assert {delivery(sku).status for sku in ("MUG", "ATLAS")} == {Status.DONE}


def test_what_was_committed_is_not_tried_again_when_a_later_part_of_its_batch_fails(
    listen: Listen, run_out: RunOut, delivery: Find
) -> None:
    tried: list[str] = []

    def fail_at_the_third(event: StockRanOut) -> None:
        tried.append(event.sku)
        clock.advance(timedelta(seconds=0.11))
        if event.sku == "C":
            raise Trouble

    listen(fail_at_the_third)
    run_out("A", "B", "C", "D")
    claims = claim(INSIDE, BATCH)

    delivering._attempt("inventory.reorder", claims, [])

    # A and B are each as much as fits into a transaction.
    assert tried[:4] == ["A", "B", "C", "C"]
    assert {delivery(sku).status for sku in "AB"} == {Status.DONE}
    assert delivery("C").error.startswith("Trouble")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
def test_what_somebody_was_about_to_claim_as_well_is_not_lost(
    listen: Listen, run_out: RunOut, delivery: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(_open)
    run_out("MUG", "LAMP")
    claims = claim(INSIDE, BATCH)
    with closing(connection.copy()) as other:
        # Who claims locks what it found in its snapshot before it sees that somebody else has claimed it.
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM integration_delivery WHERE id = %s FOR UPDATE", [claims[0].id])
        monkeypatch.setattr(delivering.clock, "pause", lambda seconds: other.rollback())

        delivering._attempt("inventory.reorder", claims, [])

    assert {delivery(sku).status for sku in ("MUG", "LAMP")} == {Status.DONE}


def test_what_is_tried_alone_for_too_long_is_given_back(
    listen: Listen, run_out: RunOut, woken: list[DeliveryQueue], delivery: Find
) -> None:
    heard: list[str] = []

    def take_a_second_each(event: StockRanOut) -> None:
        if event.sku == "BAD":
            raise Trouble
        clock.advance(timedelta(seconds=1.1))
        heard.append(event.sku)

    listen(take_a_second_each)
    run_out("BAD", "MUG", "LAMP")
    claims = claim(INSIDE, BATCH)

    left = delivering._attempt("inventory.reorder", claims, [])
    assert [each.id for each in left] == [delivery("LAMP").pk]

    outcomes.release(INSIDE, left)

    assert heard == ["MUG"]
    assert (delivery("LAMP").status, delivery("LAMP").attempts) == (Status.PENDING, 0)
    assert [each.id for each in claim(INSIDE, BATCH)] == [claims[2].id]
    assert woken == [INSIDE]


def test_a_worker_that_was_overtaken_outside_leaves_done_as_it_is(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    long_ago = clock.now() - timedelta(minutes=1)
    listen(lambda event: Delivery.objects.update(status=Status.DONE, done_at=long_ago), external=True)
    run_out("MUG")

    assert deliver() == 1
    assert (delivery().status, delivery().done_at, delivery().error) == (Status.DONE, long_ago, "")


def test_a_delivery_comes_when_it_is_due_and_not_before(
    listen: Listen, run_out: RunOut, deliver: Deliver, later: Later
) -> None:
    listen(_open)
    run_out("MUG")
    Delivery.objects.update(due_at=clock.now() + timedelta(hours=1))

    assert due_delivery_queues() == []
    assert deliver() == 0

    later(timedelta(hours=2))
    assert due_delivery_queues() == [INSIDE]
    assert deliver() == 1


def test_what_a_clock_a_little_ahead_published_is_due_at_once(
    listen: Listen, run_out: RunOut, deliver: Deliver, stopped_clock: None
) -> None:
    listen(_open)
    with clock.moved(CLOCKS_DIFFER):
        run_out("MUG")
    with clock.moved(2 * CLOCKS_DIFFER):
        run_out("LAMP")

    assert due_delivery_queues() == [INSIDE]
    assert deliver() == 1
    assert _skus() == {"MUG"}


def test_dead_letters_are_not_due(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(_open)
    run_out("MUG")
    Delivery.objects.update(status=Status.DEAD)

    assert due_delivery_queues() == []
    assert deliver() == 0
    assert Sku("MUG") not in _skus()


def test_what_may_kill_its_worker_is_claimed_with_ever_fewer_neighbours(
    listen: Listen, run_out: RunOut, later: Later
) -> None:
    listen(_open)
    run_out(*(f"MUG-{n}" for n in range(8)))

    claimed = []
    for _ in range(3):
        claimed.append([])
        while claims := claim(INSIDE, BATCH):
            claimed[-1].append([each.attempt for each in claims])
        later(AFTER_THE_LEASE)

    assert claimed == [[[1] * 8], [[2] * 6, [2] * 2], [[3]] * 8]


def test_what_is_new_does_not_hold_up_what_was_tried_before(listen: Listen, run_out: RunOut, later: Later) -> None:
    listen(_open)
    run_out("MUG")
    held_by_a_dead_worker = claim(INSIDE, BATCH)
    later(AFTER_THE_LEASE)
    run_out("LAMP", "JUG")

    claims = [claim(INSIDE, BATCH) for _ in range(3)]

    assert [[each.attempt for each in claimed] for claimed in claims] == [[2], [1, 1], []]
    assert claims[0][0].id == held_by_a_dead_worker[0].id


def test_what_was_lost_with_its_worker_goes_before_what_has_been_due_longer(
    listen: Listen, run_out: RunOut, later: Later
) -> None:
    listen(_open)
    run_out("MUG")
    later(AFTER_THE_LEASE)
    (held_by_a_dead_worker,) = claim(INSIDE, BATCH)
    with clock.moved(-AFTER_THE_LEASE):
        run_out("LAMP", "JUG")
    later(AFTER_THE_LEASE)

    assert [each.id for each in claim(INSIDE, BATCH)] == [held_by_a_dead_worker.id]
    assert len(claim(INSIDE, BATCH)) == 2


@pytest.mark.parametrize("error", [Trouble, NotYet])
def test_what_failed_was_not_lost(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, error: type[Exception]
) -> None:
    def fail(event: StockRanOut) -> None:
        raise error

    listen(fail)
    run_out("MUG")
    claim(INSIDE, BATCH)
    assert delivery().in_flight
    Delivery.objects.update(due_at=clock.now())

    deliver()

    assert not delivery().in_flight


# --- A clock that was wrong ---


def test_what_a_clock_that_was_ahead_made_due_is_brought_forward(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    listen(_open)
    with clock.moved(timedelta(hours=1)):
        run_out("MUG")
    assert deliver() == 0

    outcomes.bring_forward()

    assert deliver() == 1
    assert _skus() == {"MUG"}


def test_what_waits_for_its_next_attempt_is_not_brought_forward(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    listen(_fail)
    run_out("MUG")
    deliver()
    due_at = delivery().due_at

    outcomes.bring_forward()

    assert delivery().due_at == due_at
