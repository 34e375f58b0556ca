"""Traces are sent to a collector if `TRACES_URL` is set."""

import importlib.util

from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment
from integration import tracing


def traces_url(env: Environment) -> str:
    """Read the setting from the environment; empty if traces are off.

    Raises:
        ImproperlyConfigured: it is no URL, or the packages of requirements-traces.txt are not installed.
    """
    url = env.text("TRACES_URL", "", "https?://[^/].*", "begin with http:// or https://")
    if url and not importlib.util.find_spec("opentelemetry"):
        raise ImproperlyConfigured("TRACES_URL needs the packages of requirements-traces.txt")
    return url


def start_traces(url: str) -> None:
    """Send the spans of this process, and of those that it forks, to the URL of a collector (OTLP over HTTP)."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "waybill"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url)))
    tracing.tracer = provider.get_tracer("waybill")
