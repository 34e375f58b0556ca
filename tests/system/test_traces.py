"""An order is one trace, from `POST /orders` to its shipment, over a real web and a real worker.

The collector is a server in this process, which reads what OpenTelemetry's exporter sends.
"""

import gzip
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from uuid import uuid4

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pytest_httpserver import HTTPServer
from running_system import ADDRESS, System, eventually
from werkzeug import Request, Response

pytestmark = pytest.mark.system

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT = "00f067aa0ba902b7"
"""The span of the client that places the order."""

CHAIN = [
    "POST orders",
    "ordering.place_order",
    "deliver inventory.reserve-stock",
    "deliver billing.collect-payment",
    "deliver ordering.confirm-paid-order",
    "deliver fulfillment.arrange-shipment",
]
"""The spans on the way from the request to the shipment, each below the one before it."""


class Collector:
    """Receives spans."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._lock = threading.Lock()

    def receive(self, request: Request) -> Response:
        """Handle one request of the exporter."""
        data = request.get_data()
        if request.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        received = ExportTraceServiceRequest.FromString(data)
        with self._lock:
            for resource in received.resource_spans:
                for scope in resource.scope_spans:
                    self._spans += scope.spans
        return Response(b"", content_type="application/x-protobuf")

    @property
    def spans(self) -> Sequence[Span]:
        """What has been received so far."""
        with self._lock:
            return [*self._spans]


@pytest.fixture
def collector(httpserver: HTTPServer) -> Collector:
    collector = Collector()
    httpserver.expect_request("/v1/traces", method="POST").respond_with_handler(collector.receive)
    return collector


def test_an_order_is_one_trace(
    system_to_break: Callable[..., System], httpserver: HTTPServer, collector: Collector
) -> None:
    system = system_to_break(TRACES_URL=httpserver.url_for("/v1/traces"), OTEL_BSP_SCHEDULE_DELAY="200")
    buyer = system.visitor.log_in("buyer", "buyer")
    body = {
        "lines": [{"sku": "MUG-ENAMEL-BLUE", "quantity": 1}],
        "shipping_address": ADDRESS,
        "payment_method": "pm_card_visa",
    }
    traced = {"traceparent": f"00-{TRACE}-{CLIENT}-01", "Idempotency-Key": str(uuid4())}
    number = buyer.ask("POST", "/api/v1/orders", body, traced).body["number"]
    buyer.order_once(number, "confirmed")

    def of_trace() -> dict[str, Span]:
        return {span.name: span for span in collector.spans if span.trace_id.hex() == TRACE}

    eventually(lambda: {*CHAIN} - {*of_trace()}, lambda missing: not missing, "all spans of the chain", within=30)
    found = of_trace()
    by_id = {span.span_id: span for span in collector.spans if span.trace_id.hex() == TRACE}

    def ancestors(span: Span) -> list[str]:
        above = by_id.get(span.parent_span_id)
        return [above.name, *ancestors(above)] if above else []

    for above, below in pairwise(CHAIN):
        assert above in ancestors(found[below]), f"{below} is below {above}"
        assert found[below].start_time_unix_nano >= found[above].start_time_unix_nano
    assert ancestors(found["ordering.place_order"]) == ["POST orders"]
    assert ancestors(found["deliver inventory.reserve-stock"]) == ["ordering.place_order", "POST orders"]
    assert ancestors(found["call billing.collect-payment"])[0] == "deliver billing.collect-payment"
    request = found["POST orders"]
    assert request.parent_span_id.hex() == CLIENT
    assert request.kind == Span.SPAN_KIND_SERVER
    assert values(request)["http.response.status_code"] == "201"
    assert found["call billing.collect-payment"].kind == Span.SPAN_KIND_CLIENT

    delivered = [span for name, span in found.items() if name.startswith("deliver ")]
    linked = {link.span_id for span in delivered for link in span.links}

    def batches() -> dict[bytes, Span]:
        return {span.span_id: span for span in collector.spans if span.name.startswith("batch ")}

    known = eventually(batches, lambda spans: linked <= {*spans}, "the span of each batch", within=60)
    for span in delivered:
        (link,) = span.links
        assert known[link.span_id].name == span.name.replace("deliver", "batch")
        assert known[link.span_id].trace_id.hex() != TRACE
        assert span.kind == Span.SPAN_KIND_CONSUMER
    assert not [span for span in collector.spans if ADDRESS["recipient"] in str(span)]


def values(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes}
