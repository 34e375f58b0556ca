"""`/metrics` shows what was counted and what the database says, to those who have the token."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from config.environment import Environment
from config.metrics import depths, processes, serving
from config.metrics.settings import FOLDER_OF_THE_LIBRARY, MetricsSettings, metrics_settings
from integration.messaging.consumer_states import pause
from integration.messaging.heartbeat import SWEEP, note_heartbeat
from integration.webhooks.endpoints import register, send_test

TOKEN = "vA3kq9_Zt7LmX2wR5yHc8dNf4bJs6gPe1uQo0iTa"


@pytest.fixture
def token(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS = MetricsSettings(TOKEN, "", 0, None)
    monkeypatch.setattr(serving, "_depths", depths.Depths())


def _shown(client: Any) -> dict[tuple[str, frozenset[Any]], float]:
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200, response.content
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.django_db
def test_metrics_count_an_order_and_its_deliveries(
    client: Any, token: None, placed: Any, drain: Any, django_capture_on_commit_callbacks: Any
) -> None:
    placed_before = _value("waybill_order_changes_total", change="placed", reason="")
    confirmed_before = _value("waybill_order_confirmation_seconds_count")
    done = {"consumer": "inventory.reserve-stock", "outcome": "done"}
    with django_capture_on_commit_callbacks(execute=True):
        placed()
    pause("billing.collect-payment", "a secret of the shop", "user:1")
    note_heartbeat(SWEEP)
    send_test(register({"url": "https://hooks.example/", "events": ["*"]}, None).pk)
    shown = _shown(client)
    assert shown["waybill_orders", frozenset(["pending"])] == 1
    assert shown["waybill_consumer_paused", frozenset(["billing.collect-payment"])] == 1
    assert shown["waybill_sweep_seconds_ago", frozenset()] < 5
    assert shown["waybill_payments_unknown", frozenset()] == 0
    assert shown["waybill_webhook_pending", frozenset(["webhook"])] == 1
    assert shown["waybill_webhook_endpoints", frozenset(["enabled"])] == 1
    assert {value for (name, _), value in shown.items() if name == "waybill_part_read"} == {1}
    assert sum(value for (name, _), value in shown.items() if name == "waybill_consumer_due") > 0
    assert _value("waybill_order_changes_total", change="placed", reason="") == placed_before + 1

    before = _value("waybill_delivery_attempts_total", **done)
    with django_capture_on_commit_callbacks(execute=True):
        drain()
    assert _value("waybill_delivery_attempts_total", **done) > before
    assert _value("waybill_order_confirmation_seconds_count") >= confirmed_before
    assert "a secret of the shop" not in str(_shown(client))


@pytest.mark.django_db
def test_a_part_that_cannot_be_read_is_left_out_and_named(
    client: Any, token: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Iterator[Any]:
        raise DatabaseError("canceling statement due to statement timeout")

    monkeypatch.setitem(depths.PARTS, "orders", refuse)
    shown = _shown(client)

    assert shown["waybill_part_read", frozenset(["orders"])] == 0
    assert shown["waybill_part_read", frozenset(["consumers"])] == 1
    assert not [name for name, _ in shown if name == "waybill_orders"]


@pytest.mark.django_db
def test_only_the_token_opens_metrics_and_without_one_there_is_no_page(client: Any, settings: Any, token: None) -> None:
    for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}, {"Authorization": "Bearer é"}):
        response = client.get("/metrics", headers=wrong)
        assert (response.status_code, response["Content-Type"]) == (401, "application/problem+json")
    assert client.post("/metrics").status_code == 405
    settings.METRICS = MetricsSettings("", "", 0, None)
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_requests_are_counted_by_the_name_of_their_route(client: Any, db: None) -> None:
    labels = {"route": "order", "method": "GET", "status": "401"}
    before = _value("waybill_http_requests_total", **labels)
    for number in ("R-1", "R-2"):
        client.get(f"/api/v1/orders/{number}")
    client.get("/nowhere/R-1")
    client.generic("R-1", "/nowhere")

    assert _value("waybill_http_requests_total", **labels) == before + 2
    routes = {sample.labels.get("route", "") for family in REGISTRY.collect() for sample in family.samples}
    assert not [route for route in routes if "R-1" in route or "nowhere" in route]
    assert _value("waybill_http_requests_total", route="none", method="other", status="404") > 0


def test_settings_of_metrics_are_checked(tmp_path: Path) -> None:
    def read(**values: str) -> MetricsSettings:
        return metrics_settings(Environment(values), tmp_path, is_embedded=True)

    assert read(METRICS_ADDRESS="[::1]:9100")[1:3] == ("::1", 9100)
    for wrong in ({"METRICS_TOKEN": "short"}, {"METRICS_TOKEN": "a" * 50}):
        with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN"):
            read(**wrong)
    for address in ("9100", "host:", "host:99999", "ho st:1"):
        with pytest.raises(ImproperlyConfigured, match="METRICS_ADDRESS"):
            read(METRICS_ADDRESS=address)
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured, match="METRICS_DIR"):
        metrics_settings(
            Environment({"METRICS_TOKEN": TOKEN, "METRICS_DIR": f"{tmp_path}/file/x"}), tmp_path, is_embedded=False
        )


COUNTING = """
import os
from pathlib import Path
from prometheus_client import Counter, Histogram
counted, timed = Counter("waybill_x", "x", ["of"]), Histogram("waybill_y", "y")
for _ in range(2):
    if not (child := os.fork()):
        counted.labels("a").inc(3)
        timed.observe(0.2)
        os._exit(0)
    os.waitpid(child, 0)
counted.labels("a").inc()
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("processes", sys.argv[1])  # without the rest of Waybill, which takes a second to load
processes = module_from_spec(spec)
spec.loader.exec_module(processes)
from prometheus_client import CollectorRegistry, generate_latest
registry = CollectorRegistry()
registry.register(processes.Processes(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])))
assert generate_latest(registry) == generate_latest(registry)
print(generate_latest(registry).decode())
"""


def test_processes_that_have_ended_still_count_and_leave_no_files(tmp_path: Path) -> None:
    environment = {**os.environ, FOLDER_OF_THE_LIBRARY: str(tmp_path)}
    command = [sys.executable, "-c", COUNTING, processes.__file__]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
    assert 'waybill_x_total{of="a"} 7.0' in ran.stdout
    assert "waybill_y_count 2.0" in ran.stdout
    assert len([*tmp_path.glob("*.db")]) == 4, "this process, and the dead, each with two kinds"
