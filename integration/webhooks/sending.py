"""Sending: one loop claims due rows, has their requests made, and records results, until nothing is due.

The requests of all endpoints are under way together, in one thread that only waits for sockets. So an endpoint that
hangs holds a socket and nothing else.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from threading import Event
from typing import Any, Protocol

from celery.signals import worker_process_shutdown, worker_shutdown
from django.conf import settings
from django.db import connection

from integration.domain import clock
from integration.gateways.posts import Post, Posted, Posts
from integration.policies import every
from integration.webhooks.claim import claim
from integration.webhooks.fan_out import fan_out
from integration.webhooks.models import EndpointDelivery
from integration.webhooks.outcomes import record, release_unreadable
from integration.webhooks.requests import Unreadable, requests_of

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500
"""Requests that one process has under way."""

LOOK_EVERY = 0.2
"""Seconds between two looks for due rows while requests are under way."""


LOST_TEST = "the process that sent the test was killed; a test is sent once"


class Sender(Protocol):
    """Makes requests; `Posts` is the real one."""

    def start(self, post: Post) -> None:
        """Begin a request."""

    def ended(self, seconds: float) -> list[Posted]:
        """The results since the last call; waits up to `seconds` for the first."""


def over_http() -> AbstractContextManager[Sender]:
    """The sender that makes real requests."""
    return Posts(settings.WEBHOOKS.timeout.total_seconds(), local=settings.WEBHOOKS.local)


_stopping = Event()


def stop(**kwargs: Any) -> None:
    """Claim nothing more in this process: it ends once its requests have."""
    _stopping.set()


worker_process_shutdown.connect(stop)
worker_shutdown.connect(stop)


@every(timedelta(seconds=1), name="integration.send-webhooks", external=True)
def send_webhooks() -> None:
    """Share out new messages, and send what is due."""
    if _something_is_due():
        _stopping.clear()
        send_due()


def send_due(sender: Callable[[], AbstractContextManager[Sender]] = over_http) -> int:
    """Send all that is due until nothing is due and no request is under way; returns the number of requests.

    Args:
        sender: makes the requests.
    """
    sent, under_way = 0, dict[int, EndpointDelivery]()
    with sender() as posts:
        while True:
            if not _stopping.is_set():
                fan_out()
                for row, post in _claimed(MOST_AT_ONCE - len(under_way)):
                    under_way[row.pk] = row
                    posts.start(post)
            if not under_way:
                return sent
            results = posts.ended(LOOK_EVERY)
            record([(under_way.pop(posted.key), posted) for posted in results])
            sent += len(results)


def _claimed(limit: int) -> list[tuple[EndpointDelivery, Post]]:
    """Claimed rows with their requests; those whose message does not exist are released."""
    claimed = claim(limit)
    lost = [row for row in claimed if row.is_test and row.attempts > 1]
    record([(row, Posted(row.pk, None, 0, error=LOST_TEST)) for row in lost])
    found = list(requests_of([row for row in claimed if row not in lost]))
    unreadable = [(row, post) for row, post in found if isinstance(post, Unreadable)]
    if unreadable:
        log.error("cannot send %s messages: %s", len(unreadable), unreadable[0][1])
        release_unreadable([row for row, _ in unreadable])
    return [(row, post) for row, post in found if not isinstance(post, Unreadable)]


def _something_is_due() -> bool:
    """Whether there is anything to do; one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (
                EXISTS (SELECT 1 FROM integration_webhookendpoint WHERE status = 'enabled')
                AND (SELECT coalesce(max(number), 0) FROM integration_feedposition)
                    > (SELECT coalesce(max(number), 0) FROM integration_sharedout)
            ) OR EXISTS (
                SELECT 1 FROM integration_webhookendpoint AS endpoint WHERE kind = 'webhook' AND EXISTS (
                    SELECT 1 FROM integration_endpointdelivery AS mine
                    WHERE mine.endpoint_id = endpoint.id AND mine.status = 'pending' AND mine.due_at <= %s
                      AND (endpoint.status = 'enabled' OR mine.is_test)
                )
            )
            """,
            [connection.ops.adapt_datetimefield_value(clock.now())],
        )
        (is_due,) = cursor.fetchone()
    return bool(is_due)
