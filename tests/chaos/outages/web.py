"""Clients that are ill: a hundred of them hold connections and send nothing, or half, or do not read."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.chaos.outages.table import Table
from tests.chaos.traffic import GOODS
from tests.system.running_system import ADDRESS
from tests.system.slow_clients import send_in_chunks, slow_clients

if TYPE_CHECKING:
    from tests.chaos.outages.shop import Shop

TABLE = Table("web")
SLOWER = 2.0
"""Seconds by which a hundred slow clients may delay a request."""
CLIENTS = 100
SKU = GOODS[0]


@contextmanager
def held(shop: "Shop", kind: str) -> Iterator[None]:
    """Hold a hundred connections of a kind, with one more byte on each every second, and ask `/healthz` meanwhile."""
    end = threading.Event()
    longest = 0.0
    asked = 0

    def ask() -> None:
        nonlocal longest, asked
        while not end.wait(1.0):
            drip()
            began = time.monotonic()
            status = shop.system.visitor.ask("GET", "/healthz").status
            longest, asked = max(longest, time.monotonic() - began), asked + 1
            shop.outcome.require(status == 200, f"/healthz was {status}")

    shop.system.visitor.ask("GET", "/api/schema?format=json")  # is made once a minute
    with slow_clients(shop.system.port, kind, CLIENTS) as drip:
        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()
    shop.outcome.require(asked > 0, "/healthz was never asked")
    shop.outcome.require(longest < SLOWER, f"/healthz took {longest:.1f} s")
    shop.outcome.n |= {"connections": CLIENTS, "/healthz asked": asked, "slowest /healthz s": round(longest, 2)}


@TABLE.row(slower=SLOWER, short=True)
def idle(shop: "Shop") -> Iterator[None]:
    """100 connections on which nothing is sent."""
    with held(shop, "idle"):
        yield


@TABLE.row(slower=SLOWER)
def half_header(shop: "Shop") -> Iterator[None]:
    """100 connections with half a header, and one byte more a second."""
    with held(shop, "half_header"):
        yield


@TABLE.row(slower=SLOWER)
def half_body(shop: "Shop") -> Iterator[None]:
    """100 connections with half a body, and one byte more a second."""
    with held(shop, "half_body"):
        yield


@TABLE.row(slower=SLOWER)
def half_chunk(shop: "Shop") -> Iterator[None]:
    """100 connections with half a chunk, and one byte more a second."""
    with held(shop, "half_chunk"):
        yield


@TABLE.row(slower=SLOWER)
def slow_reading(shop: "Shop") -> Iterator[None]:
    """100 connections whose clients request 260 kB and do not read."""
    with held(shop, "slow_reading"):
        yield


@TABLE.row(slower=SLOWER)
def pipelined(shop: "Shop") -> Iterator[None]:
    """100 connections with 50 requests each for 260 kB, whose clients do not read."""
    with held(shop, "pipelined"):
        yield


@TABLE.row(short=True)
def chunked(shop: "Shop") -> Iterator[None]:
    """Bodies in chunks, without their length, of 1 byte to 64 kB a chunk."""
    buyer = shop.system.visitor.log_in("buyer", "buyer")
    wanted = {
        "lines": [{"sku": SKU, "quantity": 1}],
        "shipping_address": ADDRESS,
        "payment_method": "pm_card_visa",
    }
    body = json.dumps(wanted).encode()
    sent = 0
    for size in (1, 7, 64, 65_536):
        key = {"Idempotency-Key": f"chunked-{time.time()}"}
        status, order = send_in_chunks(buyer, "POST", "/orders", body, size, **key)
        again = buyer.ask("POST", "/api/v1/orders", body, key)
        shop.outcome.require(status == again.status == 201, f"an order in chunks was {status}, then {again.status}")
        shop.outcome.require(order == again.body, f"{size} bytes a chunk made another order than its repetition")
        name = f"Robin of {size}"
        send_in_chunks(buyer, "PATCH", "/me", json.dumps({"name": name}).encode(), size)
        shop.outcome.require(buyer.get("/me").body["name"] == name, f"{size} bytes a chunk: PATCH changed nothing")
        sent += 2
    yield
    shop.outcome.n["bodies in chunks"] = sent
