"""Every request is counted by its route and status, and timed."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from integration.domain import clock
from integration.measuring import REQUEST_SECONDS, REQUESTS

METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
NO_ROUTE = "none"
"""The route of static files, and of paths that Waybill does not have."""


def count_requests(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that counts and times requests."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = clock.stopwatch()
        response = get_response(request)
        route = route_of(request)
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(route, method, str(response.status_code)).inc()
        REQUEST_SECONDS.labels(route).observe(clock.stopwatch() - began)
        return response

    return middleware


def route_of(request: HttpRequest) -> str:
    """The name of the route, such as `orders` or `admin:ordering_order_change`; its pattern if it has no name."""
    match = request.resolver_match
    if match is None:
        return NO_ROUTE
    return (match.view_name if match.url_name else match.route) or "/"
