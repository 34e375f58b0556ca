"""Every request is counted by its route and status, timed, and has a line in the access log."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from integration.domain import clock
from integration.logs import log_request
from integration.measuring import REQUEST_SECONDS, REQUESTS

METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
ORDER_IN_ROUTE = re.compile(r"/orders/<number:(\w+)>")
ORDER_IN_LOCATION = re.compile(r"/orders/([^/?#]+)$")
NO_ROUTE = "none"
"""The route of static files, and of paths that Waybill does not have."""


def count_requests(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that counts, times and logs requests."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = clock.stopwatch()
        response = get_response(request)
        route = route_of(request)
        method = method_of(request.method)
        REQUESTS.labels(route, method, str(response.status_code)).inc()
        seconds = clock.stopwatch() - began
        REQUEST_SECONDS.labels(route).observe(seconds)
        log_request(method, route, response.status_code, seconds, order_of(request, response))
        return response

    return middleware


def method_of(method: str | None) -> str:
    """The HTTP method, or `other`: a client may send any word as one."""
    return method if method in METHODS else "other"


def route_of(request: HttpRequest) -> str:
    """The name of the route, such as `orders` or `admin:ordering_order_change`; its pattern if it has no name."""
    match = request.resolver_match
    if match is None:
        return NO_ROUTE
    return (match.view_name if match.url_name else match.route) or "/"


def order_of(request: HttpRequest, response: HttpResponse) -> str:
    """The number of the order that a request is about or that it has placed; empty if there is none."""
    match = request.resolver_match
    if match is not None and (named := ORDER_IN_ROUTE.search(match.route)):
        return str(match.kwargs[named[1]])
    placed = ORDER_IN_LOCATION.search(response.get("Location", "")) if response.status_code == 201 else None
    return placed[1] if placed else ""
