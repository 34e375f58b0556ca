"""The results of requests: done, retried by the row's own schedule, or dead; each attempt is logged.

A result changes its row only while the claim is valid, and the log always: the request was made. An endpoint that
responds 410, or that has only failed for 75 hours, is disabled, and its owner gets an e-mail.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus

from django.db import transaction

from integration.domain import clock
from integration.gateways.posts import Posted
from integration.webhooks.models import (
    DeliveryStatus,
    EndpointAttempt,
    EndpointDelivery,
    EndpointStatus,
    WebhookEndpoint,
)
from integration.webhooks.retry_schedule import ATTEMPTS, LASTS, LONGEST_ASKED, wait_after

log = logging.getLogger(__name__)

GONE = "It responded 410 Gone."
FAILED_FOR_LONG = f"It has only failed for {LASTS.total_seconds() / 3_600:.0f} hours."

UNREADABLE_WAITS = timedelta(minutes=1)
"""How long a row waits whose message does not exist, so that people can look into it."""

THROTTLING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
"""With `Retry-After`, these ask for no request of any message until then."""

CHANGED_ROW = ["status", "attempts", "in_flight", "due_at", "settled_at"]
CHANGED_ENDPOINT = [
    "status",
    "disabled_because",
    "disabled_at",
    "owner_is_due_notice",
    "failures",
    "failing_since",
    "not_before",
]

Result = tuple[EndpointDelivery, Posted]
"""A row as it was claimed, and what came of its request."""


def record(results: Sequence[Result]) -> None:
    """Record the results of requests in one transaction. A row whose endpoint was deleted meanwhile is left out."""
    if not results:
        return
    with transaction.atomic():
        wanted = {claimed.endpoint_id for claimed, _ in results}
        locked = WebhookEndpoint.objects.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True)
        endpoints = {endpoint.pk: endpoint for endpoint in locked}
        rows = {row.pk: row for row in _locked([claimed for claimed, _ in results])}
        known = [(claimed, posted) for claimed, posted in results if claimed.endpoint_id in endpoints]
        valid = [
            (rows[claimed.pk], posted)
            for claimed, posted in known
            if claimed.pk in rows and rows[claimed.pk].fencing_token == claimed.fencing_token
        ]
        before = {pk: _state(endpoint) for pk, endpoint in endpoints.items()}
        for row, posted in valid:
            _settle(row, endpoints[row.endpoint_id], posted)
        _write([row for row, _ in valid])
        for row, _ in valid:
            _delay_later_ones(row, endpoints[row.endpoint_id])
        changed = [endpoint for pk, endpoint in endpoints.items() if _state(endpoint) != before[pk]]
        WebhookEndpoint.objects.bulk_update(changed, CHANGED_ENDPOINT)
        existing = _existing(results)
        EndpointAttempt.objects.bulk_create(
            [_logged(claimed, posted) for claimed, posted in known if claimed.pk in existing]
        )


def release_unreadable(claimed: Sequence[EndpointDelivery]) -> None:
    """Let rows whose message does not exist wait, without using up an attempt."""
    with transaction.atomic():
        for row in _locked(claimed):
            row.attempts, row.in_flight, row.due_at = row.attempts - 1, False, clock.now() + UNREADABLE_WAITS
            row.save(update_fields=CHANGED_ROW)


def disable(endpoint: WebhookEndpoint, because: str, *, by_itself: bool) -> None:
    """Disable an endpoint, which the caller saves. Its pending rows wait.

    Args:
        by_itself: whether its owner is sent an e-mail.
    """
    if endpoint.is_enabled:
        endpoint.status, endpoint.disabled_because = EndpointStatus.DISABLED, because
        endpoint.disabled_at, endpoint.owner_is_due_notice = clock.now(), by_itself
        log.warning("the webhook endpoint %s is disabled: %s", endpoint.pk, because)


def _locked(claimed: Sequence[EndpointDelivery]) -> Sequence[EndpointDelivery]:
    rows = EndpointDelivery.objects.filter(pk__in=[row.pk for row in claimed], status=DeliveryStatus.PENDING)
    return list(rows.filter(in_flight=True).order_by("pk").select_for_update(no_key=True))


def _state(endpoint: WebhookEndpoint) -> list[object]:
    return [getattr(endpoint, name) for name in CHANGED_ENDPOINT]


def _existing(results: Sequence[Result]) -> set[int]:
    """The ids of the rows that still exist."""
    return {*EndpointDelivery.objects.filter(pk__in=[row.pk for row, _ in results]).values_list("pk", flat=True)}


def _settle(row: EndpointDelivery, endpoint: WebhookEndpoint, posted: Posted) -> None:
    now, row.in_flight = clock.now(), False
    is_done = posted.status is not None and 200 <= posted.status < 300
    if is_done or row.is_test:
        row.status, row.settled_at = DeliveryStatus.DONE if is_done else DeliveryStatus.DEAD, now
        if is_done and not row.is_test:
            endpoint.failures, endpoint.failing_since, endpoint.not_before = 0, None, None
        return
    endpoint.failures, endpoint.failing_since = endpoint.failures + 1, endpoint.failing_since or now
    row.due_at = now + wait_after(row.attempts, posted.retry_after)
    if posted.status in THROTTLING and posted.retry_after:
        endpoint.not_before = now + min(posted.retry_after, LONGEST_ASKED)
    if posted.status == HTTPStatus.GONE:
        disable(endpoint, GONE, by_itself=True)
    elif now - endpoint.failing_since >= LASTS:
        disable(endpoint, FAILED_FOR_LONG, by_itself=True)
    if row.attempts >= ATTEMPTS:
        row.status, row.settled_at = DeliveryStatus.DEAD, now
        log.error("%s is not sent to the endpoint %s any more", row.message_id, endpoint.pk)


def _write(rows: Sequence[EndpointDelivery]) -> None:
    """Write settled rows in one statement, and those that failed, which are few, in another."""
    done = [row for row in rows if row.status == DeliveryStatus.DONE]
    if done:
        EndpointDelivery.objects.filter(pk__in=[row.pk for row in done]).update(
            status=DeliveryStatus.DONE, in_flight=False, settled_at=done[0].settled_at
        )
    EndpointDelivery.objects.bulk_update([row for row in rows if row.status != DeliveryStatus.DONE], CHANGED_ROW)


def _delay_later_ones(row: EndpointDelivery, endpoint: WebhookEndpoint) -> None:
    """Let the later rows of an ordered key wait as long as this one, so that no claim looks at them in vain."""
    if endpoint.ordered and row.key is not None and row.status == DeliveryStatus.PENDING:
        later = EndpointDelivery.objects.filter(endpoint=endpoint, key=row.key, status=DeliveryStatus.PENDING)
        later.filter(pk__gt=row.pk, due_at__lt=row.due_at).update(due_at=row.due_at)


def _logged(claimed: EndpointDelivery, posted: Posted) -> EndpointAttempt:
    return EndpointAttempt(
        endpoint_id=claimed.endpoint_id,
        delivery_id=claimed.pk,
        number=claimed.attempts,
        at=clock.now(),
        status=posted.status,
        milliseconds=posted.milliseconds,
        response=posted.excerpt,
        error=posted.error,
    )
