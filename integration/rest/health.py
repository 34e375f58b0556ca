"""Health checks at the root of the site, without authentication: `/healthz` for liveness, `/readyz` for readiness."""

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from kombu.exceptions import OperationalError


def healthz(request: HttpRequest) -> JsonResponse:
    """Check liveness: 200 as long as the process responds; the database is not queried."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Check readiness: 200 if the database and the broker respond, otherwise 503 and the name of what does not."""
    checks = {"database": _database_responds(), "broker": _broker_responds()}
    status = 200 if all(checks.values()) else 503
    results = {name: "ok" if responds else "unreachable" for name, responds in checks.items()}
    return JsonResponse({"status": "ok" if status == 200 else "not ready", **results}, status=status)


def _database_responds() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _broker_responds() -> bool:
    options = {**current_app.conf.broker_transport_options, **settings.WAKEUP_TRANSPORT_OPTIONS}
    try:
        with current_app.connection_for_write(transport_options=options) as broker:
            broker.ensure_connection(max_retries=1, timeout=1)
    except (OperationalError, OSError):
        return False
    return True
