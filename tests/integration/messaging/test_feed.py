"""The feed has every event once, in one order that misses none, however late a transaction commits."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from integration.messaging import feed
from integration.messaging.archive import archive_messages
from integration.messaging.feed import Batch, UnknownCursor, newest, place_in_feed, read_feed, types_since
from integration.messaging.models import ArchivedMessage, FeedPosition, Message
from integration.messaging.past import bring_back

pytestmark = pytest.mark.django_db

only_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has one writer, so numbers have no gaps"
)


def ids(batch: Batch) -> list[str]:
    return [event["id"] for event in batch.events]


def all_in_order() -> list[str]:
    return [str(message) for message in FeedPosition.objects.order_by("number").values_list("message", flat=True)]


def test_a_reader_gets_every_event_once_in_batches(placed: Callable[..., str], drain: Callable[..., int]) -> None:
    placed(), drain()
    read: list[dict[str, Any]] = []
    cursor, is_full = 0, True
    while is_full:
        batch = read_feed(cursor, limit=3)
        read += batch.events
        cursor, is_full = batch.cursor, batch.is_full

    assert [event["id"] for event in read] == all_in_order()
    assert {str(key) for key in Message.objects.values_list("pk", flat=True)} == {event["id"] for event in read}
    assert read_feed(cursor) == Batch([], cursor, is_full=False)
    assert "St James" not in str(read)
    assert "Ada" not in str(read)

    of_two = read_feed(0, ["ordering.order-confirmed", "ordering.order-placed"])
    assert [event["type"] for event in of_two.events] == ["ordering.order-placed", "ordering.order-confirmed"]
    assert of_two.cursor == newest()
    assert types_since(of_two.cursor) == {}
    assert "ordering.order-placed" in types_since(0)
    with pytest.raises(UnknownCursor):
        read_feed(newest() + 1)


def test_what_is_archived_or_unknown_or_came_without_a_place_is_in_the_feed(
    placed: Callable[..., str], drain: Callable[..., int], later: Callable[[timedelta], None]
) -> None:
    placed(), drain()
    number = newest()
    FeedPosition.objects.filter(number=number).delete()  # as older code publishes
    missing = read_feed(0)
    place_in_feed(), place_in_feed()
    assert len(read_feed(missing.cursor).events) == 1
    assert newest() > number

    before = all_in_order()
    later(timedelta(days=91))
    archive_messages()
    assert not Message.objects.exists()
    assert ids(read_feed(0)) == before
    bring_back(list(ArchivedMessage.objects.all()[:3]))
    assert ids(read_feed(0)) == before

    first, *_ = ArchivedMessage.objects.order_by("pk")
    ArchivedMessage.objects.filter(pk=first.pk).update(name="ordering.of-newer-code", version=7)
    (event,) = [event for event in read_feed(0).events if event["type"] == "ordering.of-newer-code"]
    assert (event["id"], event["dataschema"]) == (str(first.pk), "urn:waybill:event:ordering.of-newer-code:7")


@contextmanager
def uncommitted(publish: Callable[[], None]) -> Iterator[Callable[[bool], None]]:
    """A transaction of another thread that has published and has not ended; call what it yields to end it."""
    has_published, may_end, commits = threading.Event(), threading.Event(), []

    def run() -> None:
        try:
            with transaction.atomic():
                publish()
                has_published.set()
                may_end.wait(10)
                transaction.set_rollback(not commits[0])
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    assert has_published.wait(10)

    def end(does_commit: bool) -> None:
        commits.append(does_commit)
        may_end.set()
        thread.join()

    try:
        yield end
    finally:
        end(does_commit=False)


@only_postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("does_commit", [True, False])
def test_the_feed_ends_before_a_place_whose_transaction_may_still_commit(
    does_commit: bool, run_out: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "GAP_TIMEOUT", 0.02)
    run_out("A")
    start = newest() - 1  # the sequence goes on from test to test, and what was before is a gap, too
    with uncommitted(lambda: run_out("B")) as end:
        run_out("C")
        held = read_feed(start)
        assert [event["data"]["sku"] for event in held.events] == ["A"]
        assert read_feed(held.cursor) == Batch([], held.cursor, is_full=False)
        assert types_since(held.cursor)  # a look is worth while
        end(does_commit)
        rest = read_feed(held.cursor)
    assert [event["data"]["sku"] for event in rest.events] == (["B", "C"] if does_commit else ["C"])
    seen = ids(held) + ids(rest)
    assert seen == all_in_order()[-len(seen) :]
