"""What every client of the API can rely on: compression, pages of other origins, and paths with a slash at the end."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

Respond = Callable[[HttpRequest], HttpResponse]

API = "/api/"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
REQUEST_HEADERS = "Authorization, Cart-Token, Content-Type, Idempotency-Key, If-Match, If-None-Match, traceparent"
RESPONSE_HEADERS = "ETag, Idempotent-Replayed, Location, Retry-After, WWW-Authenticate, X-Correlation-Id"
PREFLIGHT_SECONDS = 7_200
"""How long a browser may remember the response to a preflight request; some browsers remember it for less."""


def ignore_last_slash(get_response: Respond) -> Respond:
    """Middleware that lets a path of the API with a slash at its end mean the same as without it.

    A redirect would lose the body of a POST in many clients.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API) and request.path_info.endswith("/"):
            request.path_info, request.path = request.path_info.rstrip("/"), request.path.rstrip("/")
        return get_response(request)

    return middleware


def allow_origins(get_response: Respond) -> Respond:
    """Middleware that lets the pages of some origins, those in `CORS_ORIGINS`, read responses of the API.

    Browsers send no cookies along: the API knows only tokens. Source: WHATWG Fetch, section 3.3, "CORS protocol".
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if not settings.CORS_ORIGINS or not request.path_info.startswith(API):
            return get_response(request)
        origin = request.headers.get("Origin", "")
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if is_preflight else get_response(request)
        patch_vary_headers(response, ["Origin"])
        if origin in settings.CORS_ORIGINS:
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = RESPONSE_HEADERS
            if is_preflight:
                response["Access-Control-Allow-Methods"] = METHODS
                response["Access-Control-Allow-Headers"] = REQUEST_HEADERS
                response["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response

    return middleware


class Compress(GZipMiddleware):
    """Compresses responses of the API for clients that accept it.

    A response with the `ETag` of a resource stays as it is: compressed, its ETag would be weak, and `If-Match` takes no
    weak one. The compressed form of the same content is always the same, so that other ETags are, too. Random bytes
    would hide its length, which reveals secrets only where browsers send credentials by themselves; those of the API
    are tokens. Source: RFC 9110, section 8.8.1; the BREACH attack.
    """

    max_random_bytes = 0

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Compress a response of the API."""
        if response.has_header("ETag") or not request.path_info.startswith(API):
            return response
        return super().process_response(request, response)
