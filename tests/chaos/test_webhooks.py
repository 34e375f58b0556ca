"""Endpoints that hang or are dead hold up no other: the living ones have all events, once by id, in order per order.

A usual run tries few endpoints. `WEBHOOK_LOAD=endpoints,hanging,dead,events` tries as many as it says.
"""

import asyncio
import json
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from integration.messaging.feed import newest
from integration.webhooks.models import EndpointDelivery, SharedOut, WebhookEndpoint
from integration.webhooks.sending import send_due
from tests.integration.webhooks.conftest import example


class Load(NamedTuple):
    """How many endpoints there are, how many of them hang or respond 500, and how many events each is owed."""

    endpoints: int
    hanging: int
    dead: int
    events: int


LOAD = Load(*map(int, os.environ.get("WEBHOOK_LOAD", "12,2,1,8").split(",")))
TIMEOUT, ORDERS = (5.0, 100) if "WEBHOOK_LOAD" in os.environ else (0.4, 4)
"""Seconds of a request, and orders that the events belong to, in turn."""


class Server:
    """One HTTP server for all receivers. A path begins with what its receiver does: `ok`, `hang` or `dead`."""

    def __init__(self) -> None:
        self.got: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.last: dict[str, float] = {}
        self._loop, ready = asyncio.new_event_loop(), threading.Event()

        async def listen() -> None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2_000)
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()

        self._loop.create_task(listen())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        ready.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        length = next(int(line[16:]) for line in head.split("\r\n") if line.lower().startswith("content-length: "))
        body = json.loads(await reader.readexactly(length))
        if path.startswith("/hang"):
            await asyncio.sleep(3_600)
        self.got[path].append({"id": body["id"], **body["data"]})
        self.last[path] = time.monotonic()
        status = b"200 OK" if path.startswith("/ok") else b"500 Error"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_who_hangs_or_is_dead_holds_up_nobody(
    db: None, server: Server, publish_all: Callable[..., None], settings: Settings
) -> None:
    settings.WEBHOOKS = django_settings.WEBHOOKS._replace(timeout=timedelta(seconds=TIMEOUT), local=True)
    living = LOAD.endpoints - LOAD.hanging - LOAD.dead
    kinds = ["hang"] * LOAD.hanging + ["dead"] * LOAD.dead + ["ok"] * living
    SharedOut.objects.create(number=newest())
    WebhookEndpoint.objects.bulk_create(
        WebhookEndpoint(url=f"http://localhost:{server.port}/{kind}/{n}", events=["*"], ordered=True, after=newest())
        for n, kind in enumerate(kinds)
    )
    for n in range(LOAD.events):
        publish_all(example("ordering.hold-lifted", order=f"R-{n % ORDERS}", hold=f"H-{n:06}"))

    began = time.monotonic()
    sent = send_due()
    took = max(server.last[f"/ok/{n}"] for n, kind in enumerate(kinds) if kind == "ok") - began
    whole = time.monotonic() - began

    for n, kind in enumerate(kinds):
        got = server.got[f"/{kind}/{n}"]
        if kind == "ok":
            assert max(Counter(event["id"] for event in got).values()) == 1
            assert len(got) == LOAD.events
            for order in range(ORDERS):
                holds = [event["hold"] for event in got if event["order"] == f"R-{order}"]
                assert holds == sorted(holds)
    assert EndpointDelivery.objects.filter(status="done").count() == living * LOAD.events
    print(f"{LOAD}: {sent} requests; the living ones had all after {took:.1f} s, the last timeout after {whole:.1f} s")
    if "WEBHOOK_LOAD" not in os.environ:
        assert took < 1.5, "the living ones waited for those that hang"
