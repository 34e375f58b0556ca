"""Places orders over HTTP with several concurrent clients on keep-alive connections.

The client speaks HTTP over plain sockets, so that it uses little CPU itself. Every order has an Idempotency-Key, as
from a client that repeats requests without a response.
"""

import json
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from tests.bench.processes import serve_calls
from tests.system.running_system import ADDRESS


class NotCreated(RuntimeError):
    """The response to an order was not 201 Created."""


def do(requests: int, port: int, skus: int, lines: int = 3, token: str = "", clients: int = 8) -> None:
    """Place orders.

    Args:
        requests: the number of orders, over all clients.
        port: the server's port.
        skus, lines: each order has this many lines, each with a different one of this many SKUs.
        token: the token to authenticate with; empty sends none.
        clients: the number of concurrent clients.
    """
    bodies = [_request(port, skus, lines, token) for _ in range(requests)]
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(_send, port, bodies[i::clients]) for i in range(clients)]:
            done.result()


def _request(port: int, skus: int, lines: int, token: str) -> bytes:
    wanted = [{"sku": f"BENCH-{i:04}", "quantity": 1} for i in random.sample(range(skus), lines)]
    body = json.dumps({"lines": wanted, "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}).encode()
    head = [
        "POST /api/v1/orders HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Idempotency-Key: {uuid4()}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def _send(port: int, requests: list[bytes]) -> None:
    connection: socket.socket | None = None
    for request in requests:
        connection = connection or socket.create_connection(("127.0.0.1", port), timeout=60)
        connection.sendall(request)
        head, _, body = _read_until(connection, b"", b"\r\n\r\n").partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 201"):
            raise NotCreated((head + body).decode(errors="replace")[:500])
        headers = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
        if b"content-length" in headers:
            left = int(headers[b"content-length"]) - len(body)
            while left:
                left -= len(connection.recv(left))
        else:
            _read_until(connection, body, b"0\r\n\r\n")  # chunked: the last chunk is empty
        if headers.get(b"connection") == b"close":
            connection.close()
            connection = None
    if connection:
        connection.close()


def _read_until(connection: socket.socket, reply: bytes, end: bytes) -> bytes:
    while end not in reply:
        got = connection.recv(65_536)
        if not got:
            raise NotCreated("the connection was closed before the response was complete")
        reply += got
    return reply


if __name__ == "__main__":
    serve_calls(do)
