"""Health checks at the root of the site, without authentication: `/healthz` for liveness, `/readyz` for readiness.

A process is ready while it can serve: readiness is about the database and the broker. What works less well does not
take it out of service; `/readyz` lists it as degraded.
"""

from collections.abc import Callable
from functools import wraps

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from integration.messaging.broker import BROKER_ERRORS, connection_for_sending
from integration.rest.degraded import degraded
from integration.rest.problems import method_not_allowed

METHODS = ("GET", "HEAD", "OPTIONS")


def _only_read(check: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    @wraps(check)
    def view(request: HttpRequest) -> HttpResponse:
        return check(request) if request.method in METHODS else method_not_allowed(request, METHODS)

    return view


@_only_read
def healthz(request: HttpRequest) -> JsonResponse:
    """Check liveness: 200 as long as the process responds; the database is not queried."""
    return JsonResponse({"status": "ok"})


@_only_read
def readyz(request: HttpRequest) -> JsonResponse:
    """Check readiness: 200 if the database and the broker respond, otherwise 503 and the name of what does not.

    A 200 lists what is degraded: a read model that is behind or failing, a paused consumer, a beat that is silent.
    """
    checks = {"database": _database_responds(), "broker": _broker_responds()}
    status = 200 if all(checks.values()) else 503
    results = {name: "ok" if responds else "unreachable" for name, responds in checks.items()}
    is_degraded = {"degraded": degraded()} if checks["database"] else {}
    return JsonResponse({"status": "ok" if status == 200 else "not ready", **results, **is_degraded}, status=status)


def _database_responds() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _broker_responds() -> bool:
    try:
        with connection_for_sending() as broker:
            broker.default_channel  # noqa: B018 - connects, and asks the broker for a first reply
    except BROKER_ERRORS:
        return False
    return True
