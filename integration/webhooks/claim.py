"""Claiming leases due rows of many endpoints to a process, a few of each, so that no endpoint delays another.

An endpoint has at most `concurrency` requests under way; one that is failing has one. All that fail share half of a
process's requests. If its order matters, a row waits until all earlier ones of its key are settled.
"""

import random
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from integration.domain import clock
from integration.storage.sql import is_postgresql
from integration.webhooks.models import DeliveryStatus, EndpointDelivery

LEASE_BEYOND_TIMEOUT = timedelta(seconds=15)
"""How much longer than a request may take its lease lasts, so that the result is recorded within the lease."""

MOST_OF_ONE = 10
"""The most rows of one endpoint that are claimed together."""

IS_DUE = """
    mine.status = 'pending' AND mine.due_at <= %(now)s
    AND (mine.is_test OR (
        endpoint.status = 'enabled' AND (endpoint.not_before IS NULL OR endpoint.not_before <= %(now)s)
    ))
"""


def lease() -> timedelta:
    """How long a claimed row is leased to its process."""
    return settings.WEBHOOKS.timeout + LEASE_BEYOND_TIMEOUT


def claim(limit: int) -> list[EndpointDelivery]:
    """Claim up to `limit` due rows and count their attempts; committed. Each has its `endpoint` loaded."""
    if limit <= 0:
        return []
    now = clock.now()
    with transaction.atomic():
        slots = _free_slots(now, limit)
        chosen = _due_rows(now, slots) if slots else []
        if not chosen:
            return []
        until = now + lease()
        EndpointDelivery.objects.filter(pk__in=chosen, status=DeliveryStatus.PENDING).update(
            attempts=F("attempts") + 1, in_flight=True, due_at=until, fencing_token=F("fencing_token") + 1
        )
        claimed = EndpointDelivery.objects.filter(pk__in=chosen, status=DeliveryStatus.PENDING, in_flight=True)
        return list(claimed.select_related("endpoint").order_by("id"))


def _free_slots(now: datetime, limit: int) -> dict[UUID, int]:
    """Endpoints with due rows, locked, and how many more requests each may have, `limit` in all."""
    sql = f"""
        SELECT endpoint.id, endpoint.concurrency, endpoint.failures, (
            SELECT count(*) FROM integration_endpointdelivery AS mine
            WHERE mine.endpoint_id = endpoint.id AND mine.status = 'pending' AND mine.in_flight
              AND mine.due_at > %(now)s
        ) AS under_way
        FROM integration_webhookendpoint AS endpoint
        WHERE endpoint.kind = 'webhook' AND EXISTS (
            SELECT 1 FROM integration_endpointdelivery AS mine WHERE mine.endpoint_id = endpoint.id AND {IS_DUE}
        )
        {"FOR NO KEY UPDATE OF endpoint SKIP LOCKED" if is_postgresql() else ""}
    """  # noqa: S608 - constants
    found = _select(sql, now)
    random.shuffle(found)  # with more endpoints than slots, each has its turn
    slots: dict[UUID, int] = {}
    well, ill = limit, limit // 2 or 1
    for id, concurrency, failures, under_way in sorted(found, key=lambda each: each[2] > 0):
        free = min((1 if failures else concurrency) - under_way, MOST_OF_ONE, well, ill if failures else well)
        if free > 0:
            slots[UUID(str(id))] = free
            well, ill = well - free, ill - free if failures else ill
    return slots


def _due_rows(now: datetime, slots: Mapping[UUID, int]) -> list[int]:
    """The ids of the due rows to claim: the first of each endpoint, at most as many as it has slots."""
    due = f"""
        SELECT mine.id FROM integration_endpointdelivery AS mine
        WHERE mine.endpoint_id = endpoint.id AND {IS_DUE} AND NOT (
            endpoint.ordered AND mine.key IS NOT NULL AND EXISTS (
                SELECT 1 FROM integration_endpointdelivery AS earlier
                WHERE earlier.endpoint_id = mine.endpoint_id AND earlier.key = mine.key AND earlier.status = 'pending'
                  AND earlier.id < mine.id
            )
        )
        ORDER BY mine.due_at, mine.id LIMIT {MOST_OF_ONE}
    """  # noqa: S608 - constants
    if is_postgresql():
        each = f"CROSS JOIN LATERAL ({due}) AS found"
        sql = f"SELECT endpoint.id, found.id FROM integration_webhookendpoint AS endpoint {each}"  # noqa: S608
    else:  # SQLite has no LATERAL; it looks the rows up by their keys
        each = f"CROSS JOIN integration_endpointdelivery AS found ON found.id IN ({due})"
        sql = f"SELECT endpoint.id, found.id FROM integration_webhookendpoint AS endpoint {each}"  # noqa: S608
    chosen: list[int] = []
    left = dict(slots)
    for endpoint, row in _select(f"{sql} WHERE endpoint.id IN ({_placeholders(left)})", now, left):
        id = UUID(str(endpoint))
        if left[id] > 0:
            left[id] -= 1
            chosen.append(row)
    return chosen


def _placeholders(ids: Collection[UUID]) -> str:
    return ", ".join(f"%(id{n})s" for n in range(len(ids)))


def _select(sql: str, now: datetime, ids: Collection[UUID] = ()) -> list[tuple[Any, ...]]:
    values: dict[str, Any] = {f"id{n}": id if is_postgresql() else id.hex for n, id in enumerate(ids)}
    with connection.cursor() as cursor:
        cursor.execute(sql, {"now": connection.ops.adapt_datetimefield_value(now), **values})
        return cursor.fetchall()
