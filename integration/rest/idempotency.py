"""Doing it once: a POST repeated under the same `Idempotency-Key` gets its first answer again.

The answer is stored in the transaction that made it true, so there is never one without the other: a request that
failed or was cut off leaves no key behind, and its repetition is simply carried out.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from hashlib import blake2b, sha256
from typing import Any

from django.db import connection
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain import clock
from integration.domain.errors import Refused, Unacceptable
from integration.domain.unit_of_work import unit_of_work
from integration.policies import every
from integration.rest.middleware import actor_of
from integration.rest.models import IdempotencyKey

LONGEST_KEY = 255
KEPT_FOR = timedelta(days=7)

HEADER = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="Repeat the request under the same key and get the first answer again.",
)

Handler = Callable[..., Response]


class StillRunning(Refused):
    """A request with this Idempotency-Key is being carried out right now."""


class KeyReused(Unacceptable):
    """This Idempotency-Key came with another request before."""


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
        caller = actor_of(request.user)
        with unit_of_work(), _alone(caller, key):
            known = IdempotencyKey.objects.filter(caller=caller, key=key).first()
            if known:
                return _replay(known, request)
            response = post(view, request, *args, **kwargs)
            _keep(caller, key, request, response)
        return response

    return extend_schema(parameters=[HEADER])(once)


def _replay(known: IdempotencyKey, request: Request) -> Response:
    if known.fingerprint != _fingerprint(request):
        raise KeyReused
    return Response(known.body, known.status, headers={**known.headers, "Idempotent-Replayed": "true"})


def _keep(caller: str, key: str, request: Request, response: Response) -> None:
    IdempotencyKey.objects.create(
        caller=caller,
        key=key,
        fingerprint=_fingerprint(request),
        status=response.status_code,
        headers=dict(response.headers),
        body=response.data,
        answered_at=clock.now(),
    )


def _fingerprint(request: Request) -> str:
    """What was asked for: the same method, path and body, byte for byte."""
    asked = f"{request.method} {request.get_full_path()}\n".encode()
    return sha256(asked + request._request.body).hexdigest()


_running: set[tuple[str, str]] = set()
_running_lock = threading.Lock()


@contextmanager
def _alone(caller: str, key: str) -> Iterator[None]:
    """Hold the key until the transaction ends; raises `StillRunning` if another request does."""
    if connection.vendor == "postgresql":
        number = int.from_bytes(blake2b(f"{caller}\n{key}".encode(), digest_size=8).digest(), signed=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
            if not cursor.fetchone()[0]:
                raise StillRunning
        yield
        return
    # SQLite is written to by one process, so what runs is known here.
    with _running_lock:
        if (caller, key) in _running:
            raise StillRunning
        _running.add((caller, key))
    try:
        yield
    finally:
        with _running_lock:
            _running.discard((caller, key))


@every(timedelta(hours=1), name="integration.forget-idempotency-keys")
def forget_idempotency_keys() -> None:
    """Let go of answers nobody will ask for again, a bounded number at a time."""
    old = IdempotencyKey.objects.filter(answered_at__lt=clock.now() - KEPT_FOR).order_by("answered_at")
    IdempotencyKey.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:10_000])).delete()
