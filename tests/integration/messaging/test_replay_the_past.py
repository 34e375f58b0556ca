"""A new consumer can be given past messages, archived ones included: one ordinary delivery for each."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from integration.domain import clock
from integration.invariants import invariants
from integration.management.commands.replay import moment
from integration.messaging import deliver as deliver_module
from integration.messaging import past as past_module
from integration.messaging.archive import archive_messages
from integration.messaging.claim import BATCH, claim, due_delivery_queues
from integration.messaging.consumers import consumers
from integration.messaging.models import ArchivedMessage, Delivery, Message, Status
from integration.messaging.outcomes import release
from integration.messaging.past import give_past, waiting
from integration.messaging.wakeups import DeliveryQueue

pytestmark = pytest.mark.django_db

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Later = Callable[[timedelta], None]

NEW = "inventory.count-shortages"


@pytest.fixture
def past(listen: Listen, run_out: RunOut, deliver: Deliver, later: Later) -> list[str]:
    """Three messages: one archived, one done, one pending. Returns the list of SKUs that the new consumer handles."""
    listen(lambda event: None)
    run_out("OLD")
    deliver()
    later(timedelta(days=91))
    archive_messages()
    run_out("DONE")
    deliver()
    later(timedelta(days=1))
    run_out("WAITING")
    handled: list[str] = []
    listen(lambda event: handled.append(event.sku), name=NEW)
    assert ArchivedMessage.objects.count() == 1
    return handled


def replay(since: str = "2020-01-01", consumer: str = NEW, **options: Any) -> str:
    output = StringIO()
    call_command("replay", f"--consumer={consumer}", f"--since={since}", stdout=output, **options)
    return output.getvalue()


def each_consumer_has_one_delivery() -> bool:
    return invariants.get("events.each_consumer_has_one_delivery").check().offenders == []


def test_a_new_consumer_handles_all_past_messages_once_oldest_first(past: list[str], deliver: Deliver) -> None:
    assert "3 messages of inventory.stock-ran-out, 1 of them archived" in replay()
    deliver()

    assert past == ["OLD", "DONE", "WAITING"]
    assert {delivery.status for delivery in Delivery.objects.filter(consumer=NEW)} == {Status.DONE}
    assert each_consumer_has_one_delivery()


def test_a_second_replay_creates_no_deliveries(past: list[str], deliver: Deliver) -> None:
    replay()
    deliver()
    assert "Deliveries created: 0." in replay()
    assert deliver() == 0
    assert len(past) == 3
    assert each_consumer_has_one_delivery()


def test_an_archived_message_is_restored_whole_and_archived_again(
    past: list[str], deliver: Deliver, later: Later
) -> None:
    (before,) = ArchivedMessage.objects.values_list("deliveries", flat=True)
    replay()
    message = Message.objects.get(data__sku="OLD")
    assert message.addressed_to == message.deliveries.count() == 2
    deliver()
    archive_messages()
    assert not ArchivedMessage.objects.exists()
    later(timedelta(days=91))
    archive_messages()

    again_archived = ArchivedMessage.objects.get(data__sku="OLD")
    assert again_archived.deliveries[0] == before[0]
    assert [each["consumer"] for each in again_archived.deliveries] == ["inventory.reorder", NEW]
    assert "0 messages" in replay(dry_run=True)


def test_since_and_until_limit_the_messages(past: list[str], deliver: Deliver) -> None:
    a_day_ago = (clock.now() - timedelta(hours=30)).isoformat()
    an_hour_ago = (clock.now() - timedelta(hours=1)).isoformat()
    assert "Deliveries created: 1." in replay(a_day_ago, until=moment(an_hour_ago))
    deliver()
    assert past == ["DONE"]
    assert "Deliveries created: 1." in replay(an_hour_ago)
    assert ArchivedMessage.objects.count() == 1


def test_a_dry_run_only_counts(past: list[str], deliver: Deliver) -> None:
    assert "would be given 3 messages" in replay(dry_run=True)
    assert not Delivery.objects.filter(consumer=NEW).exists()
    assert ArchivedMessage.objects.count() == 1


def test_replay_wakes_workers(
    past: list[str], woken: list[DeliveryQueue], django_capture_on_commit_callbacks: Any
) -> None:
    woken.clear()
    with django_capture_on_commit_callbacks(execute=True):
        replay()
    assert set(woken) == {DeliveryQueue("inventory", False)}


def test_a_failed_replayed_delivery_is_retried(
    listen: Listen, run_out: RunOut, deliver: Deliver, stopped_clock: None, later: Later
) -> None:
    listen(lambda event: None)
    run_out("MUG")
    deliver()
    listen(lambda event: 1 / 0, name=NEW)
    replay()
    deliver()
    failed = Delivery.objects.get(consumer=NEW)
    assert (failed.status, failed.attempts) == (Status.PENDING, 1)
    assert "ZeroDivisionError" in failed.error


def test_replay_to_an_external_consumer_requires_an_option(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(lambda event: None)
    run_out("MUG")
    letters: list[str] = []
    listen(lambda event: letters.append(event.sku), name="inventory.write-letters", external=True)
    with pytest.raises(CommandError, match="--even-external"):
        replay(consumer="inventory.write-letters")
    assert not Delivery.objects.filter(consumer="inventory.write-letters").exists()
    replay(consumer="inventory.write-letters", even_external=True)
    deliver()
    assert letters == ["MUG"]


def test_a_replay_in_several_batches_misses_nothing(
    past: list[str], deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.messaging.past.BATCH", 1)
    progress: list[int] = []
    assert give_past(consumers.get(NEW), clock.now() - timedelta(days=999), on_progress=progress.append) == 3
    assert progress == [1, 2, 3]
    assert each_consumer_has_one_delivery()


def test_replay_stops_when_no_worker_handles_its_deliveries(past: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration.messaging.past.BATCH", 1)
    monkeypatch.setattr("integration.management.commands.replay.MOST_WAITING", 1)
    monkeypatch.setattr("integration.management.commands.replay.PAUSE", 0)
    with pytest.raises(CommandError, match="Is a worker running"):
        replay(timeout=0.01)
    assert Delivery.objects.filter(consumer=NEW).update(status=Status.DEAD) == 2
    replay()
    assert Delivery.objects.filter(consumer=NEW).count() == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--consumer=inventory.nobody", "--since=2026-01-01"], "No consumer is named 'inventory.nobody'"),
        ([f"--consumer={NEW}", "--since=yesterday"], "'yesterday' is not a valid time"),
        ([f"--consumer={NEW}", "--since=2026-02-01", "--until=2026-01-01"], "--until must be after --since"),
        ([f"--consumer={NEW}"], "--since"),
    ],
)
def test_invalid_arguments_are_an_error(past: list[str], arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message) as error:
        call_command("replay", *arguments)
    if "nobody" in arguments[0]:
        assert NEW in str(error.value)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_concurrent_replays_create_each_delivery_once(
    listen: Listen, run_out: RunOut, deliver: Deliver, later: Later
) -> None:
    listen(lambda event: None)
    run_out(*(f"S-{n}" for n in range(30)))
    deliver()
    later(timedelta(days=91))
    archive_messages()
    run_out(*(f"T-{n}" for n in range(30)))
    listen(lambda event: None, name=NEW)
    start, given = Barrier(3), []

    def give() -> None:
        start.wait()
        given.append(give_past(consumers.get(NEW), clock.now() - timedelta(days=999)))
        connections.close_all()

    threads = [Thread(target=give) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert sum(given) == Delivery.objects.filter(consumer=NEW).count() == 60
    assert each_consumer_has_one_delivery()


def test_a_released_delivery_of_the_past_does_not_go_ahead_of_live_ones(
    listen: Listen, run_out: RunOut, later: Later
) -> None:
    listen(lambda event: None)
    run_out("OLD")
    Delivery.objects.all().delete()
    later(timedelta(days=30))
    run_out("LIVE")
    later(timedelta(seconds=1))
    give_past(consumers.get("inventory.reorder"), since=clock.now() - timedelta(days=60))
    delivery_queue = DeliveryQueue("inventory", False)
    (live,) = claim(delivery_queue, 10)
    (old,) = claim(delivery_queue, 10)

    release(delivery_queue, [old])
    assert Delivery.objects.get(pk=old.id).due_at is None
    release(delivery_queue, [live])

    assert [each.id for each in claim(delivery_queue, 10)] == [live.id]


def test_live_deliveries_go_ahead_of_the_past(
    listen: Listen, run_out: RunOut, deliver: Deliver, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver_module, "LONGEST_WAKE", -1.0)  # one claim each time a worker is woken
    handled: list[str] = []
    listen(lambda event: handled.append(event.sku))
    run_out(*(f"OLD-{n:03}" for n in range(2 * BATCH)))
    Delivery.objects.all().delete()
    later(timedelta(days=1))
    give_past(consumers.get("inventory.reorder"), since=clock.now() - timedelta(days=2))

    for n in range(3):
        run_out(f"LIVE-{n}")
        deliver()

    old = [f"OLD-{n:03}" for n in range(2 * BATCH)]
    assert handled == ["LIVE-0", "LIVE-1", "LIVE-2"]
    while due_delivery_queues():
        deliver()
    assert handled[3:] == old


def test_a_retry_of_the_past_has_a_due_time(listen: Listen, run_out: RunOut, deliver: Deliver, later: Later) -> None:
    def fail(event: Any) -> None:
        raise ValueError("not today")

    listen(fail)
    run_out("OLD")
    Delivery.objects.all().delete()
    give_past(consumers.get("inventory.reorder"), since=clock.now() - timedelta(days=1))

    deliver()

    again = Delivery.objects.get()
    assert again.attempts == 1
    assert again.due_at is not None


def test_a_run_does_not_stop_because_another_run_gave_its_batch(
    past: list[str], deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_module, "BATCH", 1)
    give, others = past_module._give, [True]

    def after_another_run(consumer: Any, locked: Any) -> Any:
        if others and locked:
            others.clear()
            give(consumer, locked)
        return give(consumer, locked)

    monkeypatch.setattr(past_module, "_give", after_another_run)

    assert give_past(consumers.get(NEW), since=clock.now() - timedelta(days=365)) == 2
    deliver()
    assert past == ["OLD", "DONE", "WAITING"]


def test_a_run_does_not_wait_for_parked_deliveries(listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(lambda event: None)
    run_out("NEWER", "NOW")
    Message.objects.filter(data__sku="NEWER").update(version=2)
    consumer = consumers.get("inventory.reorder")
    assert waiting(consumer) == 2

    deliver()

    assert waiting(consumer) == 0
    assert Delivery.objects.filter(status=Status.PENDING).count() == 1
