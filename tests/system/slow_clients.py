"""Clients that are idle or slow, and hold their connections, and clients that send bodies in chunks."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

from tests.system.running_system import TIMEOUT, Client

SCHEMA = b"GET /api/schema?format=json HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""A request with a response that is too long for the buffers of a socket."""
POST = b"POST /api/v1/auth/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
KINDS: dict[str, list[bytes]] = {
    "idle": [],
    "half_header": [b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nX-Half: "],
    "half_body": [POST + b'Content-Length: 2000000\r\n\r\n{"username": "'],
    "half_chunk": [POST + b'Transfer-Encoding: chunked\r\n\r\nffff\r\n{"username": "'],
    "slow_reading": [SCHEMA],
    "pipelined": [SCHEMA * 50],
}
"""What a client of each kind sends. None of them reads a response."""


@contextlib.contextmanager
def slow_clients(port: int, kind: str, number: int = 100) -> Iterator[Callable[[], None]]:
    """Hold so many connections of a kind open; the function that is returned sends one more byte on each."""
    with contextlib.ExitStack() as ends:
        clients = [ends.enter_context(_client(port)) for _ in range(number)]
        for client in clients:
            for data in KINDS[kind]:
                client.sendall(data)

        def drip() -> None:
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(b"x")

        yield drip


def _client(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    return client


def send_in_chunks(client: Client, method: str, path: str, body: bytes, size: int, **headers: str) -> tuple[int, Any]:
    """Send a body in chunks of so many bytes, without its length; returns the status and the JSON of the response."""
    connection = HTTPConnection("127.0.0.1", client.port, timeout=TIMEOUT)
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    own = {**client.headers, "Content-Type": "application/json", "Transfer-Encoding": "chunked", **headers}
    connection.request(method, f"/api/v1{path}", chunks, own, encode_chunked=True)
    with connection.getresponse() as response:
        return response.status, json.loads(response.read())
