"""Messages settled long ago move to the archive with all their deliveries; others stay, and nothing is lost."""

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

LONG_ENOUGH = timedelta(days=91)

one_writer = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")


@pytest.fixture
def done(listen: Listen, run_out: RunOut, deliver: Deliver) -> Callable[..., None]:
    """Publish messages about these SKUs and have two consumers handle them."""

    listen(lambda event: None, name="inventory.reorder")
    listen(lambda event: None, name="inventory.mail", external=True)

    def handle_all(*skus: str) -> None:
        run_out(*skus)
        deliver()

    return handle_all


def archived() -> list[str]:
    return sorted(message.data["sku"] for message in ArchivedMessage.objects.all())


def in_working_tables() -> list[str]:
    return sorted(message.data["sku"] for message in Message.objects.all())


def test_a_message_is_archived_with_its_columns_and_deliveries(done: Callable[..., None], later: Later) -> None:
    done("MUG")
    message = Message.objects.values().get()
    deliveries = list(Delivery.objects.order_by("pk").values())
    later(LONG_ENOUGH)
    before = clock.now()

    assert archive_batch(10) == 1

    assert not Message.objects.exists()
    assert not Delivery.objects.exists()
    in_archive = ArchivedMessage.objects.get()
    assert {name: getattr(in_archive, name) for name in message} == message
    assert before <= in_archive.archived_at <= clock.now()
    assert len(in_archive.deliveries) == in_archive.addressed_to == 2
    for row, delivery in zip(in_archive.deliveries, deliveries, strict=True):
        assert delivery.pop("message_id") == in_archive.pk
        assert delivery.pop("fencing_token") == 1
        assert (delivery.pop("parked_as"), delivery.pop("uncharged_since")) == (None, None)
        assert delivery.pop("fingerprint") is None
        moments = {name for name, value in delivery.items() if isinstance(value, datetime)}
        assert {"due_at", "done_at"} <= moments
        assert {n: datetime.fromisoformat(v) if n in moments else v for n, v in row.items()} == delivery


def test_an_archived_event_and_its_cause_can_still_be_read(done: Callable[..., None], later: Later) -> None:
    done("MUG")
    message = Message.objects.get()
    later(LONG_ENOUGH)
    archive_batch(10)

    in_archive = ArchivedMessage.objects.get(correlation_id=message.correlation_id)

    assert (in_archive.event, in_archive.cause) == (message.event, message.cause)


@pytest.mark.parametrize(("days", "moved"), [(0, 0), (89, 0), (91, 1)])
def test_a_message_stays_in_the_working_tables_for_ninety_days(
    done: Callable[..., None], later: Later, days: int, moved: int
) -> None:
    assert timedelta(days=90) == configured.ARCHIVE_AFTER
    done("MUG")
    later(timedelta(days=days))

    assert archive_batch(10) == moved


def test_the_time_until_archiving_is_a_setting(done: Callable[..., None], later: Later, settings: Any) -> None:
    settings.ARCHIVE_AFTER = timedelta(hours=1)
    done("MUG")
    later(timedelta(hours=2))

    assert archive_batch(10) == 1


def test_the_time_counts_from_when_the_last_delivery_was_settled(
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
def test_a_message_with_an_unsettled_delivery_is_not_archived(
    done: Callable[..., None], later: Later, unsettled: dict[str, Any]
) -> None:
    done("MUG", "LAMP")
    Delivery.objects.filter(consumer="inventory.mail", message__data__sku="MUG").update(**unsettled)
    later(LONG_ENOUGH)

    assert archive_batch(10) == 1

    assert (in_working_tables(), archived()) == (["MUG"], ["LAMP"])
    assert Delivery.objects.count() == 2


def test_a_skipped_delivery_is_settled(done: Callable[..., None], later: Later) -> None:
    done("MUG")
    Delivery.objects.filter(consumer="inventory.mail").update(status=Status.DEAD, done_at=None)
    later(LONG_ENOUGH)
    skip(Delivery.objects.all(), "nobody reads it", "user:12")
    assert archive_batch(10) == 0, "its delivery was skipped only now"

    later(LONG_ENOUGH)
    assert archive_batch(10) == 1

    skipped = ArchivedMessage.objects.get().deliveries[1]
    assert (skipped["status"], skipped["skip_reason"], skipped["skipped_by"]) == (
        "skipped",
        "nobody reads it",
        "user:12",
    )


def test_a_message_without_consumers_counts_as_settled(run_out: RunOut, listen: Listen, later: Later) -> None:
    run_out("MUG")
    later(LONG_ENOUGH)

    assert archive_batch(10) == 1
    assert ArchivedMessage.objects.get().deliveries == []


def test_a_message_that_lacks_a_delivery_is_not_archived(done: Callable[..., None], later: Later) -> None:
    done("MUG", "LAMP")
    Delivery.objects.filter(consumer="inventory.mail", message__data__sku="MUG").delete()
    missing = invariants.get("events.each_consumer_has_one_delivery").check().offenders
    later(LONG_ENOUGH)

    archive_messages()

    assert (in_working_tables(), archived()) == (["MUG"], ["LAMP"])
    assert len(missing) == 1
    assert invariants.get("events.each_consumer_has_one_delivery").check().offenders == missing


def test_archiving_keeps_one_delivery_for_each_consumer(
    done: Callable[..., None], later: Later, run_out: RunOut
) -> None:
    done("MUG", "LAMP")
    later(LONG_ENOUGH)
    run_out("ATLAS")
    archive_batch(10)

    assert in_working_tables() == ["ATLAS"]
    assert invariants.get("events.each_consumer_has_one_delivery").check() == (1, [], True, "")


def test_a_batch_archives_the_oldest_up_to_its_limit(done: Callable[..., None], later: Later) -> None:
    done("S1", "S2", "S3")
    later(LONG_ENOUGH)

    assert archive_batch(limit=2) == 2
    assert (in_working_tables(), archived()) == (["S3"], ["S1", "S2"])


def test_a_batch_needs_as_many_statements_as_one_message(
    done: Callable[..., None], later: Later, statements: Callable[[], Any]
) -> None:
    counts = []
    for number in (1, 300):
        done(*(f"S{n}" for n in range(number)))
        later(LONG_ENOUGH)
        with statements() as seen:
            assert archive_batch(BATCH) == number
        counts.append(len(seen))

    # select messages, select deliveries, insert into the archive, delete deliveries, delete messages
    assert counts == [5, 5]


def test_a_run_moves_a_bounded_number_of_batches(
    done: Callable[..., None], later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_BATCHES", 2)
    monkeypatch.setattr(archive, "BATCH", 2)
    done("S1", "S2", "S3", "S4", "S5")
    later(LONG_ENOUGH)

    archive_messages()
    assert in_working_tables() == ["S5"]

    archive_messages()
    archive_messages()
    assert in_working_tables() == []
    assert archived() == ["S1", "S2", "S3", "S4", "S5"]


def test_a_batch_that_fails_moves_nothing(
    done: Callable[..., None], later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("MUG")
    later(LONG_ENOUGH)

    def fail_after(messages: list[Message]) -> None:
        delete(messages)
        raise RuntimeError("the process was stopped")

    delete = archive._delete
    monkeypatch.setattr(archive, "_delete", fail_after)
    with pytest.raises(RuntimeError):
        archive_batch(10)

    assert (in_working_tables(), archived(), Delivery.objects.count()) == (["MUG"], [], 2)


def test_archiving_is_a_routine_of_beat() -> None:
    routine = routines.get("integration.archive-messages")

    assert (routine.run, routine.interval) == (archive_messages, timedelta(minutes=1))


@pytest.mark.postgres
@one_writer
@pytest.mark.django_db(transaction=True)
def test_several_processes_can_archive_at_once(done: Callable[..., None], later: Later) -> None:
    skus = [f"S{n}" for n in range(60)]
    done(*skus)
    later(LONG_ENOUGH)
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
def test_a_message_locked_by_another_transaction_is_skipped(done: Callable[..., None], later: Later) -> None:
    done("MUG", "LAMP")
    later(LONG_ENOUGH)

    def run() -> int:
        try:
            return archive_batch(10)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, archive.transaction.atomic():
        list(Message.objects.filter(data__sku="MUG").select_for_update())
        moved = pool.submit(run).result(timeout=120)

    assert moved == 1
    assert in_working_tables() == ["MUG"]
    assert Delivery.objects.count() == 2


@one_writer
def test_a_batch_does_not_read_all_settled_deliveries() -> None:
    # With a join, each batch would search all deliveries for unsettled ones.
    plan = archive._settled_before(clock.now())[:BATCH].explain()
    assert "SubPlan" in plan
    assert "Join" not in plan
