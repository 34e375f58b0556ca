"""While traces are off no exporter of OpenTelemetry is imported, and a cause passes through unchanged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from config.environment import Environment
from config.tracing import traces_url
from integration import tracing
from integration.domain.identifiers import BuyerId
from integration.domain.metadata import current_cause, new_story
from ordering.commands import register_buyer_if_new

OFF = """
import sys, django
django.setup()
from integration import tracing
assert tracing.tracer is None
# The client of Redis imports the API of OpenTelemetry if it is installed.
assert not [name for name in sys.modules if name.startswith("opentelemetry.exporter")]
"""


def test_traces_are_off_by_default_and_then_import_no_exporter() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run([sys.executable, "-c", OFF], cwd=root, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Traces are on, and their spans go into the memory."""
    exporter, traces = InMemorySpanExporter(), TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", traces.get_tracer("tests"))
    return exporter


def test_a_call_is_a_span_below_the_stored_traceparent(exporter: InMemorySpanExporter) -> None:
    trace, parent = "a" * 32, "b" * 16
    with new_story("user:1", f"00-{trace}-{parent}-01"), tracing.call_span("billing.collect-payment"):
        inside = current_cause().traceparent

    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert span.context is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (trace, parent)
    assert inside == f"00-{trace}-{span.context.span_id:016x}-01"


def test_without_a_traceparent_a_trace_begins(exporter: InMemorySpanExporter) -> None:
    with new_story("user:1"), tracing.call_span("billing.collect-payment"):
        pass

    (span,) = exporter.get_finished_spans()
    assert span.parent is None


@pytest.mark.django_db
def test_a_command_is_named_after_its_context_and_function(exporter: InMemorySpanExporter) -> None:
    with new_story("user:1"):
        register_buyer_if_new(BuyerId("B-1"))

    assert "ordering.register_buyer_if_new" in [span.name for span in exporter.get_finished_spans()]


def test_without_a_tracer_the_cause_stays_as_it_is() -> None:
    with new_story("user:1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01") as cause:
        with tracing.request_span("GET") as span, tracing.command_story(), tracing.call_span("a.b"):
            assert span is None
            assert current_cause() is cause
        tracing.name_request(span, "GET", "orders", 200, cause.correlation_id)


def test_the_setting_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert traces_url(Environment({})) == ""
    with pytest.raises(ImproperlyConfigured, match="TRACES_URL must begin with http"):
        traces_url(Environment({"TRACES_URL": "collector:4318"}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImproperlyConfigured, match=r"requirements-traces\.txt"):
        traces_url(Environment({"TRACES_URL": "http://collector:4318"}))
