"""Idempotent POSTs: a request repeated with the same `Idempotency-Key` gets the first response again.

The response is stored in the transaction of the command, so both are committed or neither is. A request that failed or
was cut off leaves no key behind, and a retry runs the command. Secrets in a response are not stored: see `secrets_of`.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.crypto import salted_hmac
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from integration.aggregates.unit_of_work import current_unit_of_work, unit_of_work
from integration.domain import clock
from integration.domain.errors import Refused, Unacceptable
from integration.domain.metadata import current_cause, join_story
from integration.policies import every
from integration.rest.models import IdempotencyKey
from integration.storage.sql import is_postgresql
from integration.storage.writing import Insert

MAX_KEY_LENGTH = 255
RETENTION = timedelta(days=7)
FIND_KEY = "SELECT id FROM integration_idempotencykey WHERE caller = %s AND key = %s"
"""Raw SQL: there is hardly ever a row, and building this query with the ORM took longer than running it."""

KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description=f"A unique key for the request. Repeating the request with the same key within {RETENTION.days} days "
    "returns the first response and changes nothing.",
)
REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[200, 201, 202, 204],
    description="Present only if this is the stored response of an earlier request with the same key.",
)

Handler = Callable[..., Response]


class StillRunning(Refused):
    """Another request with this Idempotency-Key is still in progress. Retry in a moment."""

    code = "idempotency_key_in_use"


class KeyReused(Unacceptable):
    """This Idempotency-Key was used for a different request. Use a new key for a new request."""

    code = "idempotency_key_reused"


def idempotent(post: Handler) -> Handler:
    """Make a view's `post` idempotent for requests with an `Idempotency-Key`.

    The whole method runs in one unit of work, which writes at its end. The method must therefore build its response
    from what its command returns; a query would not see the changes.

    Raises:
        ValidationError: when the key is empty, too long or not printable ASCII.
        StillRunning: when another request with the key is in progress.
        KeyReused: when the key was used for a different request.
    """

    @wraps(post)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return _with_secrets(view, post(view, request, *args, **kwargs))
        if not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
            raise ValidationError(
                {"Idempotency-Key": [f"This must be 1 to {MAX_KEY_LENGTH} printable ASCII characters."]}
            )
        caller, fingerprint = view.scope_of_keys(request), _fingerprint(request)
        try:
            with unit_of_work():
                stored = _lock_or_find(caller, key)
                if stored is None:
                    response = post(view, request, *args, **kwargs)
                    _store(caller, key, fingerprint, response)
                    return _with_secrets(view, response)
        except StillRunning:
            raise
        except Exception:
            # The snapshot of the lookup is older than the lock, and the first request may have committed in between.
            # Then the command failed because its change was already made, and the stored response is the right one.
            stored = _find(caller, key)
            if stored is None:
                raise
        return _with_secrets(view, _replay(stored, fingerprint))

    return extend_schema(parameters=[KEY, REPLAYED])(once)


def _with_secrets(view: Any, response: Response) -> Response:
    if secrets := view.secrets_of(response.data):
        response.data = {**response.data, **secrets}
        response.headers["Cache-Control"] = "no-store"
    return response


def _replay(stored: IdempotencyKey, fingerprint: str) -> Response:
    if stored.fingerprint != fingerprint:
        raise KeyReused(pointer="/Idempotency-Key")
    join_story(UUID(stored.headers["X-Correlation-Id"]))
    return Response(json.loads(stored.body), stored.status, headers={**stored.headers, "Idempotent-Replayed": "true"})


def _store(caller: str, key: str, fingerprint: str, response: Response) -> None:
    row = {
        "caller": caller,
        "key": key,
        "fingerprint": fingerprint,
        "status": response.status_code,
        "headers": {**response.headers, "X-Correlation-Id": str(current_cause().correlation_id)},
        "body": json.dumps(response.data),
        "responded_at": clock.now(),
    }
    current_unit_of_work().write(Insert(IdempotencyKey), [row])


def _fingerprint(request: Request) -> str:
    """An HMAC over the method, the path and the bytes of the body.

    It is keyed with the secret key because a body may hold a password, which could be guessed from a plain hash.
    """
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return salted_hmac("idempotency", head + request._request.body, algorithm="sha256").hexdigest()


def _lock_or_find(caller: str, key: str) -> IdempotencyKey | None:
    """Lock the key until the end of the transaction, and look up its response in the same statement.

    On PostgreSQL the lock is a transaction-level advisory lock. SQLite needs none: its transactions begin immediate and
    it allows one writer at a time, so the second request waits for the first.

    Returns:
        The response stored under the key when the statement began, or None.

    Raises:
        StillRunning: when another request holds the lock.
    """
    number = int.from_bytes(blake2b(f"{caller}\n{key}".encode(), digest_size=8).digest(), signed=True)
    lock = "pg_try_advisory_xact_lock(%s)" if is_postgresql() else "%s IS NOT NULL"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}, ({FIND_KEY})", [number, caller, key])
        is_locked, stored = cursor.fetchone()
    if not is_locked:
        raise StillRunning
    return IdempotencyKey.objects.get(pk=stored) if stored else None


def _find(caller: str, key: str) -> IdempotencyKey | None:
    return IdempotencyKey.objects.filter(caller=caller, key=key).first()


@every(timedelta(hours=1), name="integration.forget-idempotency-keys")
def forget_idempotency_keys() -> None:
    """Delete responses older than `RETENTION`, at most 10,000 in one run."""
    old = IdempotencyKey.objects.filter(responded_at__lt=clock.now() - RETENTION).order_by("responded_at")
    IdempotencyKey.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:10_000])).delete()
