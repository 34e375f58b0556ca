"""A web process: gunicorn manages the processes, and waitress the connections of each.

A thread serves a request only once the request has arrived whole, and never waits for a client to read. So clients that
are idle or slow take up a connection, not a thread.
"""

import json
import os
import resource
import time
from socket import SHUT_WR
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from gunicorn.workers import base
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error, RequestHeaderFieldsTooLarge

from config.waiting import WaitingList
from integration.logs import log_request
from integration.messaging.feed import types_since
from integration.rest.access import NO_ROUTE, method_of
from integration.rest.feed import SET_ASIDE, TooManyWaiting, Waits
from integration.rest.problems import (
    CONTENT_TYPE,
    MAX_URL_LENGTH,
    problem,
    too_large_problem,
    url_too_long_problem,
)

MOST_CONNECTIONS = 1_000
OPEN_FILES = 4 * MOST_CONNECTIONS
"""A connection takes a file descriptor, and two more if its request and its response are stored in files."""
IDLE_TIMEOUT = 30
"""Seconds after which a connection is closed on which nothing is sent."""
REQUEST_TIMEOUT = 60.0
"""Seconds within which a request must have arrived whole."""
CLOSE_TIMEOUT = 5.0
"""Seconds for which a client may go on sending after the last response."""
LINGER = 0.5
"""Seconds for which a stopping process still serves what arrives on open connections."""


class UrlTooLong(Error):
    """The first line of a request is beyond the limit of all headers."""

    code = 414
    reason = "URI Too Long"


class Request(HTTPRequestParser):
    """A request that knows since when it arrives."""

    error: Error | None

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.began = time.monotonic()
        self.waits_until: float | None = None

    def received(self, data: bytes) -> int:
        """Take in a part of the request; returns the number of bytes that belong to it."""
        headers = self.header_plus + data if self.body_rcv is None else b""
        consumed: int = super().received(data)
        if isinstance(self.error, RequestHeaderFieldsTooLarge) and b"\n" not in headers.lstrip()[:MAX_URL_LENGTH]:
            self.error = UrlTooLong("")
        return consumed


_OF_LENGTH = {413: too_large_problem, 414: url_too_long_problem}


class SetAside(BaseException):
    """The request waits. It is not an `Exception`, so waitress does not take it for a failure."""

    def __init__(self, waits: Waits, until: float) -> None:
        super().__init__()
        self.waits, self.until = waits, until


class Response(WSGITask):
    """A response. One to `HEAD` has the headers of the response to `GET`, and no body. Source: RFC 9110, 9.3.2."""

    _set_aside: SetAside | None = None

    def get_environment(self) -> dict[str, Any]:
        """The WSGI environment, with a function by which a view lets its request wait."""
        return {**super().get_environment(), SET_ASIDE: self._wait}

    def _wait(self, waits: Waits) -> HttpResponse | None:
        waiting_list, until, now = self.channel.server.waiting_list, self.request.waits_until, time.monotonic()
        if not waiting_list.is_open() or (until is not None and (waits.is_ready or until <= now)):
            return None
        if until is None and not waiting_list.has_place():
            raise TooManyWaiting
        self.request.waits_until = until or now + waits.seconds
        self._set_aside = SetAside(waits, self.request.waits_until)
        return HttpResponse()

    def finish(self) -> None:
        """End the response; raises `SetAside` if there is none yet."""
        if self._set_aside:
            raise self._set_aside
        super().finish()

    def write(self, data: bytes) -> None:
        """Send the headers if they are not sent yet, and the data unless the request is a `HEAD`."""
        if self._set_aside:
            return
        is_head = self.request.command == "HEAD"
        super().write(b"" if is_head else data)
        if is_head:
            self.chunked_response = False  # its last chunk would be a body, too


class Refusal(ErrorTask):
    """The response to a request that cannot be read or is too long."""

    def execute(self) -> None:
        """Respond with a problem document, and close the connection."""
        error = self.request.error
        code = error.reason.lower().replace(" ", "_")
        document = _OF_LENGTH[error.code]() if error.code in _OF_LENGTH else problem(error.code, code, error.body)
        body = json.dumps(document).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", CONTENT_TYPE))
        self.set_close_on_finish()
        self.content_length = len(body)
        is_head = getattr(self.request, "command", "") == "HEAD"  # a request that cannot be read has no command
        self.write(b"" if is_head else body)
        seconds = time.monotonic() - self.request.began
        log_request(method_of(getattr(self.request, "command", "")), NO_ROUTE, error.code, seconds)


class Connection(HTTPChannel):
    """A connection.

    A pipelined request waits until the client has read the responses before it. After the last response, what the
    client still sends is read and dropped: closing at once would reset the connection, and the response could be lost.
    """

    parser_class = Request
    task_class = Response
    error_task_class = Refusal
    waits_for_client = False
    close_when_flushed: bool
    closes_at: float | None = None

    def service(self) -> None:
        """Serve the next request, or set it aside."""
        try:
            super().service()
        except SetAside as aside:
            self.server.waiting_list.enter(self, aside.waits, aside.until)
            self.server.pull_trigger()

    def handle_close(self) -> None:
        """Forget the connection, and a request that waits."""
        self.server.waiting_list.leave(self)
        super().handle_close()

    def readable(self) -> Any:
        """Whether data from the client is awaited. A client whose request waits may leave."""
        waits = len(self.requests) == 1 and self.server.waiting_list.holds(self) and not self.will_close
        return self.closes_at is not None or waits or super().readable()

    def writable(self) -> Any:
        """Whether there is something to do that needs no data from the client."""
        return self.will_close or (self.closes_at is None and (self.waits_for_client or super().writable()))

    def handle_write(self) -> None:
        """Send what can be sent. Once all is sent, go on with the next pipelined request, or begin to close."""
        is_last: bool = self.close_when_flushed
        if is_last:
            self.close_when_flushed = False  # or it would be closed at once
        super().handle_write()
        if is_last:
            self.close_when_flushed = True
        if self.total_outbufs_len or not self.connected:
            return
        if is_last:
            self.closes_at = time.monotonic() + CLOSE_TIMEOUT
            self.socket.shutdown(SHUT_WR)
        elif self.waits_for_client:
            self.waits_for_client = False
            self.server.add_task(self)

    def is_overdue(self, now: float) -> bool:
        """Whether the client has been too slow in sending, reading or closing."""
        if self.closes_at is not None:
            return self.closes_at < time.monotonic()
        arrives_slowly = self.request is not None and self.request.began < time.monotonic() - REQUEST_TIMEOUT
        return arrives_slowly or (self.waits_for_client and self.last_activity < now - IDLE_TIMEOUT)


class Server(TcpWSGIServer):
    """All connections of a process."""

    channel_class = Connection

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.waiting_list = WaitingList(settings.FEED_READERS, types_since, self.add_task, self._has_idle_thread)

    def _has_idle_thread(self) -> bool:
        dispatcher = self.task_dispatcher
        return not dispatcher.queue and dispatcher.active_count < len(dispatcher.threads)

    def add_task(self, task: Connection) -> None:
        """Have a thread serve the next request of a connection, unless the client has not read the last response."""
        if task.total_outbufs_len:
            task.waits_for_client = True
        else:
            super().add_task(task)

    def maintenance(self, now: float) -> None:
        """Close connections that are silent or too slow."""
        super().maintenance(now)
        for each in self.active_channels.values():
            if each.is_overdue(now):
                each.will_close = True

    @property
    def is_busy(self) -> bool:
        """Whether a request is being served, or a response sent."""
        return any(each.requests or each.total_outbufs_len for each in self.active_channels.values())


class Worker(base.Worker):
    """Gunicorn's worker class."""

    _server: Server | None = None

    def run(self) -> None:
        """Serve until gunicorn's master sends SIGTERM or dies."""
        _allow_open_files()
        connections: dict[int, Any] = {}
        (listener,) = self.sockets
        server = self._server = Server(
            self.wsgi,
            connections,
            _sock=listener.sock,
            adj=_adjustments(self.cfg.threads),
            sockinfo=(listener.FAMILY, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        server.waiting_list.start()
        while self.alive and self.ppid == os.getppid():
            self._serve(connections)
        server.accepting = False
        server.waiting_list.close()
        began = time.monotonic()
        while (passed := time.monotonic() - began) < self.cfg.graceful_timeout - 2:
            if passed > LINGER and not server.is_busy:
                break
            self._serve(connections, 0.1)
        server.task_dispatcher.shutdown(timeout=1)

    def _serve(self, connections: dict[int, Any], seconds: float = 1.0) -> None:
        self.notify()
        wasyncore.loop(seconds, use_poll=True, map=connections, count=1)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: stop accepting connections."""
        super().handle_exit(sig, frame)
        if self._server:
            self._server.pull_trigger()


def _adjustments(threads: int) -> Adjustments:
    return Adjustments(
        threads=threads,
        connection_limit=MOST_CONNECTIONS,
        channel_timeout=IDLE_TIMEOUT,
        cleanup_interval=5,
        # Django refuses a longer body with a problem document. What is sent in chunks has more bytes than the body.
        max_request_body_size=2 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        # Which of these headers to believe is decided by BEHIND_TLS and NUM_PROXIES.
        clear_untrusted_proxy_headers=False,
        log_socket_errors=False,
        ident=None,
    )


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
