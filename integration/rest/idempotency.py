"""Doing it once: a POST repeated under the same `Idempotency-Key` gets its first answer again.

The answer is stored in the transaction that made it true, so there is never one without the other: a request that
failed or was cut off leaves no key behind, and its repetition is simply carried out.
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
from integration.rest.middleware import actor_of
from integration.rest.models import IdempotencyKey
from integration.storage.sql import is_postgresql
from integration.storage.writing import Insert

LONGEST_KEY = 255
KEPT_FOR = timedelta(days=7)
KEPT = "SELECT id FROM integration_idempotencykey WHERE caller = %s AND key = %s"
"""Hardly ever is there one, and having the ORM put the question took longer than having it answered."""

KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description=f"Repeat the request under the same key within {KEPT_FOR.days} days and get the first answer again.",
)
REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[200, 201, 202, 204],
    description="There only when this is the first answer, given again.",
)

Handler = Callable[..., Response]


class StillRunning(Refused):
    """A request with this Idempotency-Key is being carried out right now: ask again in a moment."""

    code = "idempotency_key_in_use"


class KeyReused(Unacceptable):
    """This Idempotency-Key came with another request before: a new request takes a new key."""

    code = "idempotency_key_reused"


def idempotent(post: Handler) -> Handler:
    """Let a view's `post` be repeated.

    The whole of it becomes one unit of work, so it must answer from what its command returns, not from a new query.
    """

    @wraps(post)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return post(view, request, *args, **kwargs)
        if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
            raise ValidationError({"Idempotency-Key": [f"1 to {LONGEST_KEY} printable ASCII characters."]})
        caller, fingerprint = actor_of(request.user), _fingerprint(request)
        try:
            with unit_of_work():
                known = _hold_or_find(caller, key)
                if known is None:
                    response = post(view, request, *args, **kwargs)
                    _keep(caller, key, fingerprint, response)
                    return response
        except StillRunning:
            raise
        except Exception:
            # The first may have been done after we looked for its answer, and just before we held the key: then what we
            # failed of is what it has done.
            known = _find(caller, key)
            if known is None:
                raise
        return _replay(known, fingerprint)

    return extend_schema(parameters=[KEY, REPLAYED])(once)


def _replay(known: IdempotencyKey, fingerprint: str) -> Response:
    if known.fingerprint != fingerprint:
        raise KeyReused(pointer="/Idempotency-Key")
    join_story(UUID(known.headers["X-Correlation-Id"]))
    return Response(json.loads(known.body), known.status, headers={**known.headers, "Idempotent-Replayed": "true"})


def _keep(caller: str, key: str, fingerprint: str, response: Response) -> None:
    answer = {
        "caller": caller,
        "key": key,
        "fingerprint": fingerprint,
        "status": response.status_code,
        "headers": {**response.headers, "X-Correlation-Id": str(current_cause().correlation_id)},
        "body": json.dumps(response.data),
        "responded_at": clock.now(),
    }
    current_unit_of_work().write(Insert(IdempotencyKey), [answer])


def _fingerprint(request: Request) -> str:
    """What was asked for: the same method, path and body, byte for byte; keyed, for a body may hold a password."""
    asked = f"{request.method} {request.get_full_path()}\n".encode()
    return salted_hmac("idempotency", asked + request._request.body, algorithm="sha256").hexdigest()


def _hold_or_find(caller: str, key: str) -> IdempotencyKey | None:
    """Keep the key to ourselves until the transaction ends; raises `StillRunning` if another request does.

    SQLite lets one transaction write at a time, and ours are immediate: there, the other one waits for its turn.

    Returns:
        What was answered under it before, if anything was as the statement began.
    """
    number = int.from_bytes(blake2b(f"{caller}\n{key}".encode(), digest_size=8).digest(), signed=True)
    is_ours = "pg_try_advisory_xact_lock(%s)" if is_postgresql() else "%s IS NOT NULL"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {is_ours}, ({KEPT})", [number, caller, key])
        is_held, known = cursor.fetchone()
    if not is_held:
        raise StillRunning
    return IdempotencyKey.objects.get(pk=known) if known else None


def _find(caller: str, key: str) -> IdempotencyKey | None:
    return IdempotencyKey.objects.filter(caller=caller, key=key).first()


@every(timedelta(hours=1), name="integration.forget-idempotency-keys")
def forget_idempotency_keys() -> None:
    """Let go of answers nobody will ask for again, a bounded number at a time."""
    old = IdempotencyKey.objects.filter(responded_at__lt=clock.now() - KEPT_FOR).order_by("responded_at")
    IdempotencyKey.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:10_000])).delete()
