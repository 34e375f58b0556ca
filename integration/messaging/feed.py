"""The feed: all integration events in one order that misses none, however late a transaction commits.

Each message takes a number from a sequence when it is published. A transaction that took its number early may commit
late, and until then its number is a gap. The feed ends before a gap that may still be filled. So everybody reads the
same order, and a number says all that a reader has to remember. The events of an order come in the order in which they
were published: its aggregates were locked, and a reaction publishes after the commit that caused it.

`integration.read_models.history_reader` describes how a gap that nobody can fill is recognized. A read model goes on
beyond a gap and remembers what it read there. Another program cannot: it has only a number.
"""

import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from integration.domain import clock
from integration.domain.errors import Unacceptable
from integration.domain.naming import UnknownName
from integration.messaging.archive import first_key_of
from integration.messaging.cloudevents import cloud_event, cloud_event_as_stored
from integration.messaging.models import ArchivedMessage, FeedPosition, Message, Published
from integration.messaging.routines import Routine, register
from integration.read_models.history_reader import writers
from integration.storage.reading import select
from integration.storage.sql import is_postgresql, selected

MOST_EVENTS = 200
"""The most events of one batch."""
MOST_SCANNED = 10_000
"""The most events that are looked at for one batch, when only some types are wanted."""
GAP_TIMEOUT = 0.1
"""Seconds to wait for the transactions that can fill a gap. Usually they end within a few milliseconds."""
LOOK_BACK = timedelta(hours=1)
"""How far back messages without a place are looked for."""


class UnknownCursor(Unacceptable):
    """This cursor is beyond the end of the feed. If the database was restored, go on from an earlier cursor."""


class Batch(NamedTuple):
    """A part of the feed.

    Args:
        events: CloudEvents as JSON objects, in order.
        cursor: everything up to here was read.
        is_full: there may be more already.
    """

    events: list[dict[str, Any]]
    cursor: int
    is_full: bool


def read_feed(after: int, types: Collection[str] = (), limit: int = MOST_EVENTS) -> Batch:
    """Read the next events.

    Args:
        after: the cursor of the batch before; 0 reads from the beginning.
        types: wire names of contracts; empty means all.
        limit: the most events to read.

    Raises:
        UnknownCursor: the feed has never come as far as `after`.
    """
    scan = MOST_SCANNED if types else limit
    numbers = _numbers(after, scan)
    if not numbers:
        if after and after > newest():
            raise UnknownCursor(pointer="/after")
        return Batch([], after, is_full=False)
    complete = _complete(after, numbers)
    if not complete:
        return Batch([], after, is_full=False)
    found = _messages(after, complete[-1], types, limit)
    events = [_as_event(message) for _, message in found]
    is_cut = len(found) == limit
    return Batch(events, found[-1][0] if is_cut else complete[-1], is_cut or len(numbers) == scan)


def read_messages(after: int, limit: int = MOST_EVENTS) -> tuple[list[tuple[int, Published]], int]:
    """Read the next messages themselves.

    Args:
        after: everything up to this number was read.
        limit: the most messages to read.

    Returns:
        The messages, each with its number, and the number up to which everything was read now.
    """
    numbers = _numbers(after, limit)
    complete = _complete(after, numbers) if numbers else []
    return (_messages(after, complete[-1], (), limit), complete[-1]) if complete else ([], after)


def newest() -> int:
    """The highest number in the feed; 0 if it is empty."""
    return FeedPosition.objects.order_by("-number").values_list("number", flat=True).first() or 0


def types_since(after: int) -> dict[str, int]:
    """The types of the events after a number, and the highest number of each; one query.

    It does not wait for gaps: it says that a look is worth while, not what there is.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT name, max(number) FROM (
                SELECT message.name, placed.number FROM integration_feedposition AS placed
                JOIN integration_message AS message ON message.id = placed.message
                WHERE placed.number > %s ORDER BY placed.number LIMIT %s
            ) AS placed GROUP BY name
            """,
            [after, MOST_SCANNED],
        )
        return dict(cursor.fetchall())


def _numbers(after: int, limit: int, until: int | None = None) -> list[int]:
    rows = FeedPosition.objects.filter(number__gt=after).order_by("number")
    if until is not None:
        rows = rows.filter(number__lte=until)
    return list(rows.values_list("number", flat=True)[:limit])


def _complete(after: int, numbers: list[int]) -> list[int]:
    """Return those of the next numbers of the feed that lie before each gap which may still be filled."""
    if not is_postgresql() or _has_no_gap(after, numbers):
        return numbers
    # A transaction that can fill a gap before the last of these numbers held its lock when they were read, or holds it
    # now. Once all of these have ended, the numbers are read again, and a number still missing never appears.
    able, deadline = writers(FeedPosition), time.monotonic() + GAP_TIMEOUT
    while able & writers(FeedPosition):
        if time.monotonic() > deadline:
            return _before_gap(after, numbers)
        time.sleep(0.005)
    return _numbers(after, len(numbers), until=numbers[-1])


def _has_no_gap(after: int, numbers: Sequence[int]) -> bool:
    return numbers[-1] - after == len(numbers)


def _before_gap(after: int, numbers: Sequence[int]) -> list[int]:
    return [number for n, number in enumerate(numbers, start=1) if number == after + n]


def _messages(after: int, until: int, types: Collection[str], limit: int) -> list[tuple[int, Published]]:
    """Read messages with their numbers, from the working table and the archive in one statement.

    A message may move from one to the other meanwhile. One statement sees it in exactly one of them.
    """
    wanted = f"AND message.name IN ({', '.join(['%s'] * len(types))})" if types else ""
    parts = [
        f"""
        SELECT * FROM (
            SELECT {selected(Message).replace(Message._meta.db_table, "message")}, placed.number AS place
            FROM integration_feedposition AS placed
            JOIN {kind._meta.db_table} AS message ON message.id = placed.message
            WHERE placed.number > %s AND placed.number <= %s {wanted} ORDER BY placed.number LIMIT %s
        ) AS {kind._meta.model_name}
        """  # noqa: S608 - names of the code only
        for kind in (Message, ArchivedMessage)
    ]
    parameters = [after, until, *sorted(types), limit]
    sql = f"{' UNION ALL '.join(parts)} ORDER BY place LIMIT %s"
    return [(place, message) for message, place in select(sql, [*parameters, *parameters, limit], Message)]


def _as_event(message: Published) -> dict[str, Any]:
    """A message in its newest version; as it is stored if this code does not know its contract any more, or not yet.

    The personal data store is not read.
    """
    vars(message)["personal"] = {}
    try:
        return cloud_event(message)
    except (UnknownName, msgspec.ValidationError):
        return cloud_event_as_stored(message)


def place_in_feed() -> None:
    """Give a place to messages that were published without one, by older code."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO integration_feedposition (message)
            SELECT id FROM integration_message AS message WHERE id > %s
                AND NOT EXISTS (SELECT 1 FROM integration_feedposition AS placed WHERE placed.message = message.id)
            ORDER BY id
            ON CONFLICT (message) DO NOTHING
            """,
            [_key(first_key_of(clock.now() - LOOK_BACK))],
        )


def _key(id: UUID) -> Any:
    return Message._meta.pk.get_db_prep_value(id, connection)


register(Routine("integration.place-in-feed", timedelta(minutes=5), place_in_feed))
