"""Claiming: one committed statement leases due deliveries to a worker and counts the attempt.

The attempt is counted before the work starts, so a worker that is killed has used it up. The claim also raises the
fencing token, which shows a worker that another one has claimed the delivery since, and moves `due_at` to the end of
the lease. A delivery that its worker neither settled nor released by then was lost with that worker and is claimed
again.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Q
from psycopg.pq import Format

from integration.domain import clock
from integration.messaging.models import Status
from integration.messaging.wakeups import DeliveryQueue
from integration.storage.sql import is_postgresql

BATCH = 50
"""Deliveries handled in one transaction. A larger batch saves few commits and makes a failure cost much more."""

SECOND_BATCH = 6
"""Deliveries claimed together for a second attempt. It is small because one of them may have killed the worker of the
first batch."""

LEASE = timedelta(seconds=6)
"""A claimed delivery that is not settled or released within this time is claimed again."""

LOST_AGAIN_WAITS = 2 * LEASE
"""How long a delivery whose second or a later attempt was lost comes after those that wait for their turn. It may have
killed its workers."""

NEWEST = 2_000
"""How many of the newest deliveries a claim looks at that takes the newest first."""

CLOCKS_DIFFER = timedelta(milliseconds=100)
"""The largest expected difference between the times of two processes, which are synchronized. Claims look this far
ahead, so that a delivery published by one process is due at once for another."""


PAUSED, WAITS = -1, -2
"""Instead of the failures of a consumer: it is paused; its external system asked to wait."""


class Claim(NamedTuple):
    """One attempt at one delivery."""

    id: int
    consumer: str
    attempt: int
    fencing_token: int = 0
    """The delivery's fencing token from this claim on. The claims of one statement share one token."""
    due_at: datetime | None = datetime.max.replace(tzinfo=UTC)
    """When the delivery was due: its position in the delivery queue; None for one from the background."""
    more: bool = True
    """Whether the delivery queue may hold other deliveries to claim."""
    failures: int = 0
    """How often its consumer has failed since it last succeeded, `PAUSED` or `WAITS`. A probe counts as a failure."""


def claim(delivery_queue: DeliveryQueue, limit: int, newest_first: bool = False) -> list[Claim]:
    """Claim up to `limit` due deliveries of a delivery queue and count the attempt; one statement, committed.

    Deliveries whose first attempt was lost with its worker come first, because they have waited longest. Then come
    the others in the order in which they became due. Those whose later attempts were lost come last for
    `LOST_AGAIN_WAITS`, so deliveries that kill their worker do not delay others. If nothing is due, deliveries are
    claimed from the background.

    Only deliveries with the same number of attempts are claimed together, and fewer of them with each attempt. So a
    delivery that kills its worker charges an attempt to its neighbours at most twice; after that it is claimed alone.

    Args:
        delivery_queue: where to look.
        limit: the most deliveries to claim.
        newest_first: claim the newest due deliveries instead of those that were due first.

    Returns:
        The claims, ordered by delivery id.
    """
    now = clock.now()
    with connection.cursor() as cursor:
        if is_postgresql():
            cursor.cursor.format = Format.BINARY  # psycopg parses the text of a datetime in Python
        cursor.execute(
            _claiming(newest_first),
            {
                "context": delivery_queue.context,
                "external": delivery_queue.external,
                "now": _sql_moment(now + CLOCKS_DIFFER),
                "long_ago": _sql_moment(now - LOST_AGAIN_WAITS),
                "limit": limit,
                "in_flight": True,
                "until": _sql_moment(now + LEASE),
            },
        )
        return sorted(Claim._make([*row[:4], _aware(row[4]), *row[5:]]) for row in cursor.fetchall())


_IN_QUEUE = "status = 'pending' AND context = %(context)s AND outside = %(external)s"
_IN_BACKGROUND = "due_at IS NULL AND parked_as IS NULL"
_BACKGROUND_ORDER = "parked_as, id"
"""In the order of the partial index, which only this index has. PostgreSQL cannot know that hardly a row without a due
time is not parked either. In another order it expects one soon, and reads all that are parked."""


@cache
def _claiming(newest_first: bool) -> str:
    """The statement of a claim."""
    # The claim commits with `synchronous_commit = off`, without waiting for fsync. If a database crash loses it, the
    # delivery is simply claimed again. Its effects are committed later and durably, and never without the claim.
    no_fsync = ", (SELECT set_config('synchronous_commit', 'off', TRUE)) AS no_fsync" if is_postgresql() else ""
    # Searches in separate ranges of the index, so that the search for waiting rows does not scan in-flight rows
    # first. The search for lost rows scans the whole in-flight range, due or not; the range is small. For
    # this, `IS TRUE` hides the `due_at` condition from the index. PostgreSQL marks a dead index entry only when a scan
    # visits it, and only marked entries free their space before the next VACUUM. Without these visits, dead entries
    # would pile up at the beginning of both ranges.
    is_due = "due_at <= %(now)s"
    urgency = "CASE WHEN attempts = 1 THEN 0 WHEN due_at <= %(long_ago)s THEN 1 ELSE 2 END"
    lost = _search(urgency, f"in_hand = TRUE AND ({is_due}) IS TRUE", "urgency, due_at, id")
    waiting = _search("1", f"in_hand = FALSE AND {is_due}", "due_at, id")  # SQLite would sort all rows by a constant
    if newest_first:
        # Without the partial index, by the primary key: whatever is in front is not scanned.
        newest = f"id > (SELECT max(id) FROM integration_delivery) - {NEWEST}"  # noqa: S608 - a constant
        waiting = _search("1", f"in_hand = FALSE AND {is_due} AND {newest}", "id DESC", "status || ''")
    nothing_is_due = "NOT EXISTS (SELECT 1 FROM lost) AND NOT EXISTS (SELECT 1 FROM waiting)"
    background = _search("3", f"{_IN_BACKGROUND} AND {nothing_is_due}", _BACKGROUND_ORDER)
    # SQLite's RETURNING knows only the updated table.
    was_due = (
        "together.due_at"
        if is_postgresql()
        else "(SELECT due_at FROM together AS old WHERE old.id = integration_delivery.id)"
    )
    failures = f"""
        SELECT CASE WHEN paused_at IS NULL AND waits_until > %(now)s THEN {WAITS}
                    WHEN paused_at IS NULL THEN failures + deaths
                    WHEN probe = integration_delivery.id THEN 1 ELSE {PAUSED} END
        FROM integration_consumerstate AS state WHERE state.consumer = integration_delivery.consumer
        """  # noqa: S608 - a constant
    # MATERIALIZED: otherwise PostgreSQL may run a CTE once for each row and claim more than the limit. The rows
    # found are locked, so the UPDATE does not repeat `status = 'pending'`. With that condition PostgreSQL might
    # scan the whole partial index on pending rows.
    return f"""
        WITH lost AS MATERIALIZED ({lost}), waiting AS MATERIALIZED ({waiting}),
        background AS MATERIALIZED ({background}),
        due AS MATERIALIZED (
            SELECT * FROM (
                SELECT * FROM lost UNION ALL SELECT * FROM waiting UNION ALL SELECT * FROM background
            ) AS found ORDER BY urgency, due_at, id LIMIT %(limit)s
        ), first AS MATERIALIZED (
            SELECT attempts FROM due ORDER BY urgency, due_at, id LIMIT 1
        ), together AS MATERIALIZED (
            SELECT id, fencing_token, due_at FROM due WHERE attempts = (SELECT attempts FROM first)
            ORDER BY urgency, due_at, id
            LIMIT coalesce((SELECT CASE attempts WHEN 0 THEN {BATCH} WHEN 1 THEN {SECOND_BATCH} ELSE 1 END
                            FROM first), 0)
        )
        UPDATE integration_delivery
        SET attempts = attempts + 1, in_hand = %(in_flight)s, due_at = %(until)s,
            fencing_token = (SELECT max(fencing_token) FROM together) + 1
        FROM together{no_fsync} WHERE integration_delivery.id = together.id
        RETURNING integration_delivery.id, consumer, attempts, integration_delivery.fencing_token, {was_due},
            (SELECT count(*) FROM due) = %(limit)s OR (SELECT count(*) FROM due) > (SELECT count(*) FROM together)
            OR {_exists(f"{_IN_QUEUE} AND {_IN_BACKGROUND}", _BACKGROUND_ORDER)},
            coalesce(({failures}), 0)
        """  # noqa: S608 - only constants are formatted in


def _search(urgency: str, condition: str, order: str, status: str = "status") -> str:
    skip_locked = "FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    return f"""
        SELECT id, attempts, fencing_token, due_at, {urgency} AS urgency FROM integration_delivery
        WHERE {_IN_QUEUE.replace("status", status)} AND {condition}
        ORDER BY {order} LIMIT %(limit)s {skip_locked}
        """  # noqa: S608 - constants


def _exists(condition: str, order: str) -> str:
    """SQL that looks for one delivery by the index of this order; without `OFFSET 0` PostgreSQL drops the order."""
    return f"EXISTS (SELECT 1 FROM integration_delivery WHERE {condition} ORDER BY {order} LIMIT 1 OFFSET 0)"  # noqa: S608


def is_waiting(delivery_queue: DeliveryQueue) -> Q:
    """Condition: due in this delivery queue, and not in flight."""
    context, external = delivery_queue
    due = Q(status=Status.PENDING, due_at__lte=clock.now() + CLOCKS_DIFFER)
    return due & Q(context=context, external=external, in_flight=False)


def due_delivery_queues() -> list[DeliveryQueue]:
    """The delivery queues with something to claim; one query.

    It looks into each delivery queue for one such delivery, because a scan would read all that are parked.
    """
    every = [(context, external) for context in ["integration", *settings.CONTEXTS] for external in (False, True)]
    in_queue = "status = 'pending' AND context = delivery_queue.context AND outside = delivery_queue.external"
    due = "due_at, id"
    something = (
        _exists(f"{in_queue} AND in_hand = FALSE AND due_at <= %s", due),
        _exists(f"{in_queue} AND in_hand = TRUE AND due_at <= %s", due),
        _exists(f"{in_queue} AND {_IN_BACKGROUND}", _BACKGROUND_ORDER),
    )
    now = _sql_moment(clock.now() + CLOCKS_DIFFER)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH delivery_queue(context, external) AS (VALUES {", ".join(["(%s, %s)"] * len(every))})
            SELECT context, external FROM delivery_queue WHERE {" OR ".join(something)} ORDER BY context, external
            """,  # noqa: S608 - only constants are formatted in
            [*(value for each in every for value in each), now, now],
        )
        return [DeliveryQueue(context, bool(external)) for context, external in cursor.fetchall()]


def _sql_moment(moment: datetime) -> Any:
    """A moment in the form that the database driver takes in raw SQL."""
    return connection.ops.adapt_datetimefield_value(moment)


def _aware(moment: datetime | None) -> datetime | None:
    """A moment that raw SQL returned; SQLite's has no time zone."""
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None
