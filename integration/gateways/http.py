"""HTTP requests of gateways: bounded in time and size, without redirects, and with one error for what is retried.

A gateway distinguishes three cases only. The peer gave a response that means something (2xx, 4xx). Or no usable
response came, and the same request is repeated later under the same idempotency key: `NoResponse`. Or the peer says
when.
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from integration.domain import clock
from integration.gateways.deadline import Deadline, within

TIMEOUT = 10.0
"""Seconds for the whole exchange: connecting, TLS, sending, and the whole body of the response."""

LARGEST_BODY = 1_000_000
"""Bytes. No response that a gateway reads is nearly as large."""

CHUNK = 65_536

TOO_MANY_REQUESTS = 429


class NoResponse(Exception):
    """The peer gave no usable response, so it may have done what was requested or not. Repeat it under the same key."""


class AskedToWait(NoResponse):
    """The peer says when to ask again.

    Args:
        detail: what it responded.
        retry_after: how long to wait.
    """

    def __init__(self, detail: str, retry_after: timedelta) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Response(NamedTuple):
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(
    method: str,
    url: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    timeout: float = TIMEOUT,
    largest_body: int = LARGEST_BODY,
) -> Response:
    """Send a request and return the whole response, whose status is a 2xx or 4xx.

    Args:
        method: such as `POST`.
        url: http or https; https verifies the certificate and the host name.
        body: what is sent.
        headers: in addition to `Content-Length` and `Host`.
        timeout: seconds for the whole exchange.
        largest_body: the most bytes of the response's body.

    Raises:
        NoResponse: the connection failed, the time or the size was exceeded, the certificate is not valid, or the
            response was a 5xx or a redirect, which is not obeyed.
        AskedToWait: as `NoResponse`; a 429, or a 5xx with `Retry-After`.
    """
    try:
        with within(timeout) as deadline:
            response = _exchange(deadline, method, url, body, headers or {}, largest_body)
    except (OSError, HTTPException, ValueError) as error:
        raise NoResponse(f"{type(error).__name__}: {error}") from error
    if 200 <= response.status < 300 or (400 <= response.status < 500 and response.status != TOO_MANY_REQUESTS):
        return response
    wait = wait_asked_for(response)
    if wait is not None:
        raise AskedToWait(f"HTTP {response.status}, ask again in {wait.total_seconds():g} s", wait)
    raise NoResponse(f"HTTP {response.status}")


def _exchange(
    deadline: Deadline, method: str, url: str, body: bytes, headers: Mapping[str, str], largest_body: int
) -> Response:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the URL must begin with http:// or https:// and name a host")
    connection: HTTPConnection = (
        HTTPSConnection(parts.hostname, parts.port, timeout=deadline.remaining, context=_tls())
        if parts.scheme == "https"
        else HTTPConnection(parts.hostname, parts.port, timeout=deadline.remaining)
    )
    vars(connection)["_create_connection"] = deadline.connect
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, {"Accept-Encoding": "identity", **headers})
        response = connection.getresponse()
        return Response(response.status, dict(response.headers), _read(response, deadline, largest_body))
    finally:
        connection.close()


def _read(response: HTTPResponse, deadline: Deadline, largest: int) -> bytes:
    body = bytearray()
    while chunk := response.read1(CHUNK) if response.length is None else response.read(CHUNK):
        body += chunk
        if len(body) > largest:
            raise ValueError(f"the body is larger than {largest:,} bytes")
        deadline.remaining  # noqa: B018 - raises when the time is up
    if response.length:
        raise HTTPException(f"the body ended {response.length:,} bytes early")
    deadline.remaining  # noqa: B018 - a body without a length also ends when the connection is shut down
    return bytes(body)


def wait_asked_for(response: Response) -> timedelta | None:
    """How long the peer asks to wait, in seconds or until a date; None if it does not say."""
    said = {name.lower(): value for name, value in response.headers.items()}.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return timedelta(seconds=min(int(said), 10**8))
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return timedelta(seconds=1) if response.status == TOO_MANY_REQUESTS else None
    return max(_aware(until) - clock.now(), timedelta())


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
