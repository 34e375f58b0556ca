"""Claiming: one committed statement by which a worker takes deliveries into its hands, for a while.

It counts the attempt before anything is done, so that even a worker that is killed has been counted, and it says when
the delivery is due again: what its worker neither marked done nor let go of by then was lost with it.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from integration.domain import clock
from integration.messaging.models import Delivery, Status
from integration.messaging.wakeups import DeliveryQueue
from integration.storage.sql import is_postgresql

BATCH = 50
"""As many deliveries are handled in one transaction: beyond that a commit more costs little, a failure much."""

SECOND_BATCH = 6
"""As many are claimed together for their second attempt: one of them may have killed the worker of all."""

LEASE = timedelta(seconds=6)
"""After this long a claimed delivery of which nothing was heard is claimed again."""


CLOCKS_DIFFER = timedelta(milliseconds=100)
"""So far two machines' clocks may be apart, at most, for what one publishes to be due at once by the other's."""


class Claim(NamedTuple):
    """One attempt at one delivery."""

    id: int
    consumer: str
    attempt: int
    more: bool = True
    """Whether something else in its lane may have been due as well."""


def claim(delivery_queue: DeliveryQueue, limit: int) -> list[Claim]:
    """Take up to `limit` due deliveries of a lane, and count the attempt; one statement, committed.

    What was lost with its worker goes first, for somebody has waited for it longest; then comes what has been due
    longest. Only what was tried equally often is claimed together, and the more often, the less of it: a delivery that
    kills its worker has its neighbours charged with the attempt twice at most, and from then on dies alone.
    """
    skip_locked = "FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    # Nobody waits for the disk: a claim that the database itself forgets in a crash is one that nothing came of, for
    # what comes of it is committed later, and never without it.
    unhurried = ", (SELECT set_config('synchronous_commit', 'off', TRUE)) AS unhurried" if is_postgresql() else ""
    # Two ranges of the index, so that what waits does not begin with what others have in hand. That is gone through
    # whole, due or not, little as it is: only what somebody comes by does PostgreSQL see to be over, and what it has
    # seen makes room in the index. What is over would else lie at the beginning of both until the next VACUUM.
    search = f"""
        SELECT id, attempts, in_hand, due_at FROM integration_delivery
        WHERE status = 'pending' AND context = %(context)s AND outside = %(external)s AND in_hand = {{}}
            AND {{}}
        ORDER BY due_at, id LIMIT %(limit)s {skip_locked}
        """  # noqa: S608 - a constant
    is_due, now = "due_at <= %(now)s", clock.now()
    with connection.cursor() as cursor:
        # Materialized, or PostgreSQL may look for what is due once for each row, and take more than the limit. What was
        # found is locked and need not be asked again whether it is pending: if it were, PostgreSQL might go through all
        # that is, in the index that holds nothing else.
        cursor.execute(
            f"""
            WITH lost AS MATERIALIZED ({search.format(True, f"({is_due}) IS TRUE")}),
            waiting AS MATERIALIZED ({search.format(False, is_due)}),
            due AS MATERIALIZED (
                SELECT * FROM (SELECT * FROM lost UNION ALL SELECT * FROM waiting) AS either
                ORDER BY in_hand DESC, due_at, id LIMIT %(limit)s
            ), first AS MATERIALIZED (
                SELECT attempts FROM due ORDER BY in_hand DESC, due_at, id LIMIT 1
            ), together AS MATERIALIZED (
                SELECT id FROM due WHERE attempts = (SELECT attempts FROM first) ORDER BY in_hand DESC, due_at, id
                LIMIT coalesce((SELECT CASE attempts WHEN 0 THEN {BATCH} WHEN 1 THEN {SECOND_BATCH} ELSE 1 END
                                FROM first), 0)
            )
            UPDATE integration_delivery SET attempts = attempts + 1, in_hand = %(in_flight)s, due_at = %(until)s
            FROM together{unhurried} WHERE integration_delivery.id = together.id
            RETURNING integration_delivery.id, consumer, attempts,
                (SELECT count(*) FROM due) = %(limit)s OR (SELECT count(*) FROM due) > (SELECT count(*) FROM together)
            """,  # noqa: S608 - what is formatted in are constants
            {
                "context": delivery_queue.context,
                "external": delivery_queue.external,
                "now": _sql_moment(now + CLOCKS_DIFFER),
                "limit": limit,
                "in_flight": True,
                "until": _sql_moment(now + LEASE),
            },
        )
        return sorted(Claim(*row) for row in cursor.fetchall())


def due_delivery_queues() -> list[DeliveryQueue]:
    """The lanes in which something is due; one query."""
    due = Delivery.objects.filter(status=Status.PENDING, due_at__lte=clock.now() + CLOCKS_DIFFER)
    return [DeliveryQueue(*row) for row in due.order_by().values_list("context", "external").distinct()]


def _sql_moment(moment: datetime) -> Any:
    """A moment as the database's driver wants it in SQL of our own."""
    return connection.ops.adapt_datetimefield_value(moment)
