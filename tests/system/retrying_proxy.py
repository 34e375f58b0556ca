"""A buffering HTTP proxy in front of several web processes, which behaves as nginx does by `deploy/nginx.conf`.

It reads a whole request before it connects. A request that was not sent because nobody accepted the connection goes to
the next web. One that was sent is repeated only if it is idempotent: by its method, or by an `Idempotency-Key`.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}


class Proxy(ThreadingHTTPServer):
    """The proxy.

    Args:
        ports: the ports of the webs.
    """

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self._ports, self._turns = ports, count()
        self.repeated = 0

    def in_turn(self) -> list[int]:
        """The ports of all webs, each once; the next request begins with another one."""
        first = next(self._turns) % len(self._ports)
        return [*self._ports[first:], *self._ports[:first]]

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server_address[1]


class Forward(BaseHTTPRequestHandler):
    """Forwards one request."""

    server: Proxy
    protocol_version = "HTTP/1.1"

    def forward(self) -> None:
        """Send the request to one web after another until one responds; otherwise respond with 502."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        for port in self.server.in_turn():
            web = HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                web.connect()
            except OSError:
                self.server.repeated += 1
                continue
            try:
                web.request(self.command, self.path, body or None, {**dict(self.headers), "Connection": "close"})
                response = web.getresponse()
                self._respond(response.status, response.getheaders(), response.read())
            except (OSError, HTTPException):
                self.server.repeated += 1
                if self.command in IDEMPOTENT or "Idempotency-Key" in self.headers:
                    continue
                break
            return
        self._respond(502, [], b"{}")

    do_GET = do_POST = do_PATCH = forward

    def _respond(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "content-length", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def proxy_of(ports: Sequence[int]) -> Iterator[Proxy]:
    """A proxy that runs inside the block."""
    with Proxy(ports) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
