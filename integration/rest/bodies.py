"""Limits of what a client may send, checked before anything looks at the request: the URL, and a body in chunks.

A body that is sent in chunks, without its length, is read whole. `manage.py serve` does so itself. Other WSGI servers
pass the chunks on, and Django takes a body without a `Content-Length` for empty.
"""

from collections.abc import Callable
from io import BytesIO

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from integration.rest.problems import MAX_URL_LENGTH, length_required, too_large, url_too_long

Respond = Callable[[HttpRequest], HttpResponse]


def read_whole(get_response: Respond) -> Respond:
    """Middleware that reads a body sent in chunks: 413 beyond the limit, and 411 if the server cannot find its end."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "HTTP_TRANSFER_ENCODING" not in request.META:
            return get_response(request)
        # HTTP/1.0 has no chunks. Other servers say by this key that they find the end of the body.
        if request.META["SERVER_PROTOCOL"] == "HTTP/1.0" or not request.META.get("wsgi.input_terminated"):
            return length_required()
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = request.META["wsgi.input"].read(limit + 1)
        if len(body) > limit:
            return too_large()
        request.META["CONTENT_LENGTH"] = str(len(body))
        request._stream = BytesIO(body)  # Django's would end after no bytes
        return get_response(request)

    return middleware


def limit_url(get_response: Respond) -> Respond:
    """Middleware that responds with a 414 to a URL beyond the limit, before anything reads or repeats it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        length = len(request.META.get("PATH_INFO", "")) + len(request.META.get("QUERY_STRING", ""))
        return url_too_long() if length > MAX_URL_LENGTH else get_response(request)

    return middleware
