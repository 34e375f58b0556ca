"""`/metrics` for those who have the token, and an address of its own for those who can reach it."""

import logging
from collections.abc import Iterable, Iterator
from hmac import compare_digest
from threading import Thread

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CollectorRegistry, Metric, generate_latest, start_http_server
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from config.metrics.depths import Depths
from config.metrics.processes import Processes
from config.metrics.settings import MetricsSettings
from integration.domain import clock
from integration.rest.problems import CONTENT_TYPE, method_not_allowed, not_found, problem

log = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "OPTIONS")
TRY_AGAIN = 5.0
"""Seconds after which a process looks again whether the address has become free."""

_depths = Depths()


def metrics(request: HttpRequest) -> HttpResponse:
    """`GET /metrics`: 404 unless there is a token, and 401 without it."""
    given: MetricsSettings = settings.METRICS
    if request.method not in METHODS:
        return method_not_allowed(request, METHODS)
    if not given.token:
        return not_found(request, LookupError())
    sent = request.headers.get("Authorization", "")
    if not compare_digest(sent.encode(), f"Bearer {given.token}".encode()):
        document = problem(401, "not_authenticated", "Send the token of METRICS_TOKEN as a bearer token.")
        return JsonResponse(document, status=401, content_type=CONTENT_TYPE, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    registry.register(Processes(given.folder))
    registry.register(_depths)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Unconnected(Collector):
    """Collects the depths, and closes the connection to the database, because the thread of a request ends then."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            yield from [*_depths.collect()]
        finally:
            connection.close()


def serve_at_own_address() -> None:
    """Serve at `METRICS_ADDRESS` in a thread, if there is one.

    Of the processes of a machine one has the address, and shows what all of them have counted. When it ends, another
    one takes over.
    """
    given: MetricsSettings = settings.METRICS
    if not given.port:
        return
    registry = CollectorRegistry()
    registry.register(Processes(given.folder))
    registry.register(_Unconnected())

    def serve() -> None:
        while True:
            try:
                start_http_server(given.port, given.host, registry)
            except OSError:
                clock.pause(TRY_AGAIN)
            else:
                return

    Thread(target=serve, name="metrics", daemon=True).start()
