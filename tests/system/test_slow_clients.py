"""Idle and slow clients take up no thread, and a body in chunks arrives whole, over real connections."""

import json
import socket
import time

import pytest
from running_system import ADDRESS, TIMEOUT, System
from slow_clients import KINDS, send_in_chunks, slow_clients

pytestmark = pytest.mark.system

BOUND = 2.0
"""Seconds for a request while a hundred slow clients hold connections."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_slow_clients_hold_up_nobody(system: System, kind: str) -> None:
    buyer = system.visitor.log_in("buyer", "buyer")
    with slow_clients(system.port, kind) as drip:
        time.sleep(1)  # what they send is being served
        seconds = []
        for _ in range(5):
            drip()
            began = time.monotonic()
            assert system.visitor.ask("GET", "/healthz").status == 200
            seconds.append(time.monotonic() - began)
            began = time.monotonic()
            buyer.place({"MUG-ENAMEL-BLUE": 1})
            seconds.append(time.monotonic() - began)
    assert sorted(seconds)[len(seconds) // 2] < BOUND, seconds


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_change_in_chunks_is_made(system: System, size: int) -> None:
    buyer = system.visitor.log_in("buyer", "buyer")
    name = f"Robin of {size}"
    status, seen = send_in_chunks(buyer, "PATCH", "/me", json.dumps({"name": name}).encode(), size)
    assert (status, seen["name"]) == (200, name)
    assert buyer.get("/me").body["name"] == name


def test_an_order_in_chunks_is_the_same_order_with_its_length(system: System) -> None:
    buyer = system.visitor.log_in("buyer", "buyer")
    lines = [{"sku": "MUG-ENAMEL-BLUE", "quantity": 1}]
    body = json.dumps({"lines": lines, "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}).encode()
    key = {"Idempotency-Key": f"chunks-{time.time()}"}
    status, order = send_in_chunks(buyer, "POST", "/orders", body, 11, **key)
    again = buyer.ask("POST", "/api/v1/orders", body, key)
    assert (status, again.status) == (201, 201)
    assert order["number"] == again.body["number"]


@pytest.mark.parametrize("size", [2_700_000, 20_000_000])
def test_a_body_beyond_the_limit_is_refused(system: System, size: int) -> None:
    status, problem = send_in_chunks(system.visitor, "POST", "/auth/tokens", b" " * size, 100_000)
    assert (status, problem["type"]) == (413, "urn:waybill:problem:too_large")
    with_length = system.visitor.ask("POST", "/api/v1/auth/tokens", b" " * size)
    assert (with_length.status, with_length.body["type"]) == (413, "urn:waybill:problem:too_large")


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"POST /api/v1/auth/tokens HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /api/v1/auth/tokens HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /api/v1/auth/tokens HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 300_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 300_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET /" + b"x" * 65_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    ],
)
def test_a_request_that_cannot_be_read_gets_a_problem(system: System, request_text: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", system.port), timeout=TIMEOUT) as client:
        client.sendall(request_text)
        client.shutdown(socket.SHUT_WR)
        response = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode(), response
    assert json.loads(body)["status"] == status
    assert b"application/problem+json" in head


def test_pipelined_requests_are_served_in_their_order(system: System) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    with socket.create_connection(("127.0.0.1", system.port), timeout=TIMEOUT) as client:
        client.sendall((one + b"\r\n") * 49 + one + b"Connection: close\r\n\r\n")
        response = b"".join(iter(lambda: client.recv(65_536), b""))
    assert response.count(b"HTTP/1.1 200 OK") == 50
