"""What was settled long ago is moved to the archive whole; what is not stays, and nothing is lost on the way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection, connections

from integration.domain import clock
from integration.invariants import invariants
from integration.messaging import archive
from integration.messaging.archive import BATCH, archive_batch, archive_messages
from integration.messaging.dead_letters import skip
from integration.messaging.models import ArchivedMessage, Delivery, Message, Status
from integration.messaging.routines import routines

pytestmark = pytest.mark.django_db

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Later = Callable[[timedelta], None]

ENOUGH = timedelta(days=91)

one_writer = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")


@pytest.fixture
def done(listen: Listen, run_out: RunOut, deliver: Deliver) -> Callable[..., None]:
    """Messages about these skus, handled by two consumers."""

    listen(lambda event: None, name="inventory.reorder")
    listen(lambda event: None, name="inventory.mail", external=True)

    def happen(*skus: str) -> None:
        run_out(*skus)
        deliver()

    return happen


def archived() -> list[str]:
    return sorted(message.data["sku"] for message in ArchivedMessage.objects.all())


def left() -> list[str]:
    return sorted(message.data["sku"] for message in Message.objects.all())


def test_it_is_moved_with_everything_that_was_known_of_it(done: Callable[..., None], later: Later) -> None:
    done("MUG")
    message = Message.objects.values().get()
    deliveries = list(Delivery.objects.order_by("pk").values())
    later(ENOUGH)
    before = clock.now()

    assert archive_batch(10) == 1

    assert not Message.objects.exists()
    assert not Delivery.objects.exists()
    kept = ArchivedMessage.objects.get()
    assert {name: getattr(kept, name) for name in message} == message
    assert before <= kept.archived_at <= clock.now()
    assert len(kept.deliveries) == kept.addressed_to == 2
    for row, delivery in zip(kept.deliveries, deliveries, strict=True):
        assert delivery.pop("message_id") == kept.pk
        moments = {name for name, value in delivery.items() if isinstance(value, datetime)}
        assert {"due_at", "done_at"} <= moments
        assert {n: datetime.fromisoformat(v) if n in moments else v for n, v in row.items()} == delivery


def test_the_event_and_its_story_can_still_be_read(done: Callable[..., None], later: Later) -> None:
    done("MUG")
    message = Message.objects.get()
    later(ENOUGH)
    archive_batch(10)

    kept = ArchivedMessage.objects.get(correlation_id=message.correlation_id)

    assert (kept.event, kept.cause) == (message.event, message.cause)


@pytest.mark.parametrize(("days", "moved"), [(0, 0), (89, 0), (91, 1)])
def test_it_stays_for_ninety_days(done: Callable[..., None], later: Later, days: int, moved: int) -> None:
    assert timedelta(days=90) == configured.ARCHIVE_AFTER
    done("MUG")
    later(timedelta(days=days))

    assert archive_batch(10) == moved


def test_how_long_it_stays_is_a_setting(done: Callable[..., None], later: Later, settings: Any) -> None:
    settings.ARCHIVE_AFTER = timedelta(hours=1)
    done("MUG")
    later(timedelta(hours=2))

    assert archive_batch(10) == 1


def test_the_days_are_counted_from_when_the_last_was_settled(
    listen: Listen, run_out: RunOut, deliver: Deliver, later: Later
) -> None:
    listen(lambda event: None)
    run_out("MUG")
    later(timedelta(days=60))
    deliver()
    later(timedelta(days=60))
    assert archive_batch(10) == 0

    later(timedelta(days=31))
    assert archive_batch(10) == 1


@pytest.mark.parametrize(
    "unsettled", [{"status": Status.PENDING, "done_at": None}, {"status": Status.DEAD, "done_at": None}]
)
def test_one_that_is_not_settled_keeps_its_message_and_its_neighbours(
    done: Callable[..., None], later: Later, unsettled: dict[str, Any]
) -> None:
    done("MUG", "LAMP")
    Delivery.objects.filter(consumer="inventory.mail", message__data__sku="MUG").update(**unsettled)
    later(ENOUGH)

    assert archive_batch(10) == 1

    assert (left(), archived()) == (["MUG"], ["LAMP"])
    assert Delivery.objects.count() == 2


def test_what_was_skipped_is_settled(done: Callable[..., None], later: Later) -> None:
    done("MUG")
    Delivery.objects.filter(consumer="inventory.mail").update(status=Status.DEAD, done_at=None)
    later(ENOUGH)
    skip(Delivery.objects.all(), "nobody reads it", "user:12")
    assert archive_batch(10) == 0, "it was skipped just now"

    later(ENOUGH)
    assert archive_batch(10) == 1

    skipped = ArchivedMessage.objects.get().deliveries[1]
    assert (skipped["status"], skipped["skip_reason"], skipped["skipped_by"]) == (
        "skipped",
        "nobody reads it",
        "user:12",
    )


def test_what_nobody_listened_to_is_settled_from_the_start(run_out: RunOut, listen: Listen, later: Later) -> None:
    run_out("MUG")
    later(ENOUGH)

    assert archive_batch(10) == 1
    assert ArchivedMessage.objects.get().deliveries == []


def test_a_message_without_one_of_its_deliveries_is_not_put_away(done: Callable[..., None], later: Later) -> None:
    done("MUG", "LAMP")
    Delivery.objects.filter(consumer="inventory.mail", message__data__sku="MUG").delete()
    missing = invariants.get("events.each_consumer_has_one_delivery").check().offenders
    later(ENOUGH)

    archive_messages()

    assert (left(), archived()) == (["MUG"], ["LAMP"])
    assert len(missing) == 1
    assert invariants.get("events.each_consumer_has_one_delivery").check().offenders == missing


def test_each_consumer_still_has_one_delivery(done: Callable[..., None], later: Later, run_out: RunOut) -> None:
    done("MUG", "LAMP")
    later(ENOUGH)
    run_out("ATLAS")
    archive_batch(10)

    assert left() == ["ATLAS"]
    assert invariants.get("events.each_consumer_has_one_delivery").check() == (1, [], True)


def test_a_batch_takes_the_oldest_and_no_more_than_its_limit(done: Callable[..., None], later: Later) -> None:
    done("S1", "S2", "S3")
    later(ENOUGH)

    assert archive_batch(limit=2) == 2
    assert (left(), archived()) == (["S3"], ["S1", "S2"])


def test_a_batch_takes_as_many_statements_as_one_message(
    done: Callable[..., None], later: Later, statements: Callable[[], Any]
) -> None:
    counts = []
    for number in (1, 300):
        done(*(f"S{n}" for n in range(number)))
        later(ENOUGH)
        with statements() as seen:
            assert archive_batch(BATCH) == number
        counts.append(len(seen))

    # the messages, their deliveries, into the archive, and away with both
    assert counts == [5, 5]


def test_a_run_moves_a_bounded_number_of_batches(
    done: Callable[..., None], later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_BATCHES", 2)
    monkeypatch.setattr(archive, "BATCH", 2)
    done("S1", "S2", "S3", "S4", "S5")
    later(ENOUGH)

    archive_messages()
    assert left() == ["S5"]

    archive_messages()
    archive_messages()
    assert left() == []
    assert archived() == ["S1", "S2", "S3", "S4", "S5"]


def test_a_batch_that_fails_moves_nothing(
    done: Callable[..., None], later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("MUG")
    later(ENOUGH)

    def fail_after(messages: list[Message]) -> None:
        delete(messages)
        raise RuntimeError("the power went")

    delete = archive._delete
    monkeypatch.setattr(archive, "_delete", fail_after)
    with pytest.raises(RuntimeError):
        archive_batch(10)

    assert (left(), archived(), Delivery.objects.count()) == (["MUG"], [], 2)


def test_beat_has_it_run() -> None:
    routine = routines.get("integration.archive-messages")

    assert (routine.run, routine.interval) == (archive_messages, timedelta(minutes=1))


@pytest.mark.postgres
@one_writer
@pytest.mark.django_db(transaction=True)
def test_any_number_may_run_at_once(done: Callable[..., None], later: Later) -> None:
    skus = [f"S{n}" for n in range(60)]
    done(*skus)
    later(ENOUGH)
    at_once = Barrier(3)

    def run(_: int) -> int:
        try:
            at_once.wait()
            return sum(archive_batch(limit=7) for _ in range(10))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        moved = list(pool.map(run, range(3)))

    assert sum(moved) == 60
    assert archived() == sorted(skus)
    assert not Delivery.objects.exists()
    assert ArchivedMessage.objects.filter(addressed_to=2).count() == 60
    assert all(len(message.deliveries) == 2 for message in ArchivedMessage.objects.all())


@pytest.mark.postgres
@one_writer
@pytest.mark.django_db(transaction=True)
def test_it_does_not_wait_for_a_message_somebody_holds(done: Callable[..., None], later: Later) -> None:
    done("MUG", "LAMP")
    later(ENOUGH)

    def run() -> int:
        try:
            return archive_batch(10)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, archive.transaction.atomic():
        list(Message.objects.filter(data__sku="MUG").select_for_update())
        moved = pool.submit(run).result(timeout=10)

    assert moved == 1
    assert left() == ["MUG"]
    assert Delivery.objects.count() == 2


@one_writer
def test_a_batch_looks_at_its_own_deliveries_not_at_all_that_are_settled() -> None:
    # As a join, PostgreSQL looks for the first delivery that is not settled among all of them, for each batch again.
    plan = archive._settled_before(clock.now())[:BATCH].explain()
    assert "SubPlan" in plan
    assert "Join" not in plan
