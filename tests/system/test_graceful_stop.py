"""Each process is restarted with SIGTERM while orders flow: no request fails, no order is lost, and every line is JSON.

Two webs are behind a proxy that repeats idempotent requests, as in `deploy/`.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException
from uuid import uuid4

import pytest
from django.conf import settings
from retrying_proxy import proxy_of
from running_system import ADDRESS, MANAGE, Client, System, eventually, free_port

from integration.logs import access_log

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(settings.EMBEDDED, reason="embedded, there is one process: see test_ctrl_c.py"),
]

SKU = "MUG-ENAMEL-CREAM"
CLIENTS = 3
STOPS = ["web", "worker", "web2", "beat", "worker", "web"]
GRACE = {"web": 15.0, "web2": 15.0, "worker": 60.0, "beat": 15.0}
"""The seconds within which a process must end."""


class Load:
    """Clients that place and read orders until they are stopped."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.statuses: Counter[int | str] = Counter()
        self.placed: list[str] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._use) for _ in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, orders: int) -> None:
        """Wait until so many more orders are placed."""
        wanted = len(self.placed) + orders
        eventually(lambda: len(self.placed), lambda placed: placed >= wanted, f"{wanted} orders")

    def _use(self) -> None:
        body = {"lines": [{"sku": SKU, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
        while not self._end.wait(0.1):
            try:
                key = {"Idempotency-Key": str(uuid4())}
                order = self.client.ask("POST", "/api/v1/orders", body, key)
                self.statuses[order.status] += 1
                if order.status == 201:
                    self.placed.append(order.body["number"])
                    self.statuses[self.client.get(f"/orders/{order.body['number']}").status] += 1
            except (OSError, HTTPException) as error:
                self.statuses[repr(error)] += 1


def test_each_process_can_be_restarted_under_load(system_to_break: Callable[..., System]) -> None:
    system = system_to_break(LOG_FORMAT="json", SANDBOX_LATENCY_MS="50")
    second = free_port()
    system.commands = {**system.commands, "web2": [*MANAGE, "serve", "--port", str(second)]}
    system.start("web2")
    eventually(lambda: is_ready(second), bool, "a second web")
    operator = system.visitor.log_in("operator", "operator")
    assert operator.post(f"/stock/{SKU}/receipts", {"quantity": 10_000}).status == 201
    token = system.visitor.log_in("buyer", "buyer").headers["Authorization"].partition(" ")[2]

    with proxy_of([system.port, second]) as proxy, Load(Client(proxy.port, token)) as load:
        for name in STOPS:
            load.wait_for(5)
            program = system.programs[name]
            program.terminate()
            assert program.wait(GRACE[name]) == 0, program.output
            load.wait_for(3)  # without it
            system.start(name)
            if name.startswith("web"):
                port = second if name == "web2" else system.port
                eventually(lambda port=port: is_ready(port), bool, f"{name} again")  # type: ignore[misc]

    assert set(load.statuses) == {200, 201}, load.statuses
    assert proxy.repeated > 0, "no request met a web that was stopped"
    eventually(system.count_pending, lambda pending: pending == 0, "no delivery pending")
    confirmed = {number for (number,) in system.read("SELECT number FROM ordering_order WHERE status = 'confirmed'")}
    assert {*load.placed} - confirmed == set()
    failed = "SELECT consumer, error FROM integration_delivery WHERE status <> 'done' OR error <> ''"
    assert system.read(failed) == [], "no delivery fails because its worker is stopped"
    assert_lines_are_json(system)


def is_ready(port: int) -> bool:
    try:
        return Client(port).ask("GET", "/readyz").status == 200
    except (OSError, HTTPException):
        return False


def assert_lines_are_json(system: System) -> None:
    """Each line that a process logs is an object, and an order is found in those of the web and of the worker."""
    found: dict[str, set[str]] = {}
    for name, output in system.output.items():
        text = "".join(line for line in output.splitlines(keepends=True) if line.startswith(("{", "Traceback")))
        lines = [json.loads(line) for line in text.splitlines()]
        found[name] = {line["order"] for line in lines if line["logger"] == access_log.name and "order" in line}
        assert "ERROR" not in {line["level"] for line in lines}
    assert found["web"] & found["worker"], system.output["worker"][-2_000:]
