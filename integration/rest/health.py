"""Whether the process lives, and whether it can work; asked without a password, at the root."""

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from kombu.exceptions import OperationalError


def healthz(request: HttpRequest) -> JsonResponse:
    """The process lives."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """The database and the broker answer; 503, and which one does not, otherwise."""
    checks = {"database": _database_responds(), "broker": _broker_responds()}
    status = 200 if all(checks.values()) else 503
    words = {name: "ok" if answers else "does not answer" for name, answers in checks.items()}
    return JsonResponse({"status": "ok" if status == 200 else "not ready", **words}, status=status)


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
