"""Spans of OpenTelemetry, if they are switched on: request, command, each delivery, each call to an external system.

A span's parent is the traceparent of the current cause, which is stored with every message. So a story is one trace
across all processes, however late a delivery is handled. A worker handles deliveries of many stories together, so a
delivery is not a child of its batch: it has a link to it. While traces are off, OpenTelemetry is not imported.

Source: W3C Trace Context, level 1; OpenTelemetry, "Semantic conventions for messaging spans".
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

from msgspec.structs import replace

from integration.domain.metadata import Cause, caused_by, current_cause, has_cause, new_story

tracer: Any = None
"""OpenTelemetry's tracer; None while traces are off."""

DEEPEST = 12
"""How many callers of a unit of work are looked at for the command that opens it."""


class HasTraceparent(Protocol):
    """A message, whose traceparent becomes that of the span of its delivery."""

    traceparent: str | None

    @property
    def cause(self) -> Cause:
        """The cause of what its consumers do."""


def request_span(method: str | None) -> AbstractContextManager[Any]:
    """The span of a request; `name_request` names it."""
    return nullcontext() if tracer is None else _span(f"{method}", "SERVER", {"http.request.method": method})


def name_request(span: Any, method: str | None, route: str, status: int, correlation_id: object) -> None:
    """Name the span of a request by its route, once that is known; nothing if there is no span."""
    if span is not None:
        span.update_name(f"{method} {route}")
        about = {
            "http.route": route,
            "http.response.status_code": status,
            "waybill.correlation_id": str(correlation_id),
        }
        span.set_attributes(about)


def command_story() -> AbstractContextManager[Any]:
    """The story of a unit of work: the current one, or else a new one. With traces on, the command has a span."""
    if tracer is None:
        return nullcontext() if has_cause() else new_story()
    return _command_story()


def batch_span(consumer: str, claims: int) -> AbstractContextManager[Any]:
    """The span of a batch of deliveries of a consumer, which is a trace of its own."""
    if tracer is None:
        return nullcontext()
    attributes = {"messaging.destination.name": consumer, "messaging.batch.message_count": claims}
    return _span(f"batch {consumer}", "INTERNAL", attributes, is_root=True)


def delivering(message: HasTraceparent, consumer: str, batch: Any) -> AbstractContextManager[Any]:
    """The scope in which a message is the cause. With traces on, it is a span with a link to that of its batch."""
    return caused_by(message.cause) if tracer is None else _delivering(message, consumer, batch)


def call_span(consumer: str) -> AbstractContextManager[Any]:
    """The span of a call to an external system."""
    return nullcontext() if tracer is None else _span(f"call {consumer}", "CLIENT", {})


@contextmanager
def _command_story() -> Iterator[None]:
    with nullcontext() if has_cause() else new_story():
        name = _command()
        with _span(name, "INTERNAL", {}) if name else nullcontext():
            yield


@contextmanager
def _delivering(message: HasTraceparent, consumer: str, batch: Any) -> Iterator[None]:
    from opentelemetry.trace import Link

    attributes = {"messaging.destination.name": consumer, "waybill.correlation_id": str(message.cause.correlation_id)}
    with (
        caused_by(message.cause),
        _span(f"deliver {consumer}", "CONSUMER", attributes, [Link(batch.get_span_context())]),
    ):
        message.traceparent = current_cause().traceparent
        yield


@contextmanager
def _span(
    name: str, kind: str, attributes: dict[str, Any], links: list[Any] | None = None, *, is_root: bool = False
) -> Iterator[Any]:
    """A span below the current cause's traceparent, which becomes the current traceparent inside the block."""
    from opentelemetry.trace import SpanKind

    parent = current_cause().traceparent if has_cause() and not is_root else None
    with tracer.start_as_current_span(
        name, context=_context(parent), kind=SpanKind[kind], attributes=attributes, links=links, record_exception=False
    ) as span:
        if is_root or not has_cause():
            yield span
        else:
            with caused_by(replace(current_cause(), traceparent=_traceparent(span))):
                yield span


def _context(traceparent: str | None) -> Any:
    """The context whose current span is the one of a traceparent, in this or another process."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    if traceparent is None:
        return Context()
    _, trace, span, flags = traceparent.split("-")
    above = SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(above), Context())


def _traceparent(span: Any) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _command() -> str:
    """The name of the command that opens a unit of work, such as `ordering.place_order`; empty if none does."""
    frame = sys._getframe(1)
    for _ in range(DEEPEST):
        if frame.f_back is None:
            break
        frame = frame.f_back
        context, _, module = frame.f_globals.get("__name__", "").partition(".")
        if module.partition(".")[0] == "commands" and frame.f_code.co_name.isidentifier():
            return f"{context}.{frame.f_code.co_name}"
    return ""
