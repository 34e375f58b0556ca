"""What the database says: depths, ages and states, as gauges. Each part may take a second and is left out otherwise.

All machines show the same values, which are up to `VALID_FOR` seconds old. So rules take the maximum over machines, and
scrapes add little to the load of a busy database.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from threading import Lock

from django.db import DatabaseError
from django.db.models import Count, Min
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from billing.models import Payment
from billing.models.payment import PaymentStatus
from integration.domain import clock
from integration.invariants import TookTooLong, no_statement_longer_than
from integration.messaging.heartbeat import SWEEP, last_heartbeat
from integration.messaging.standing import standings
from integration.read_models.lag import lag
from integration.webhooks.models import DeliveryStatus, EndpointDelivery, EndpointStatus, Kind, WebhookEndpoint
from ordering.models import Order
from ordering.models.order_states import OrderStatus

LONGEST_LOOK = 1.0
"""Seconds that each statement may take."""
VALID_FOR = 5.0
"""Seconds for which the last values are shown again."""

Families = Iterator[GaugeMetricFamily]


class Depths(Collector):
    """Collects what the database says; one object for each process."""

    def __init__(self) -> None:
        self._lock, self._looked_at = Lock(), -math.inf
        self._last: list[GaugeMetricFamily] = []

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: otherwise the registry would ask the database when this is registered."""
        return []

    def collect(self) -> Families:
        """The gauges, and for each part whether it could be read."""
        with self._lock:
            if time.monotonic() - self._looked_at > VALID_FOR:
                self._last = [*_all_parts()]
                self._looked_at = time.monotonic()
            yield from self._last


def _all_parts() -> Families:
    read = GaugeMetricFamily("waybill_part_read", "Whether this part could be read in time.", labels=["part"])
    for part, families in PARTS.items():
        try:
            with no_statement_longer_than(LONGEST_LOOK):
                yield from [*families()]
            read.add_metric([part], 1)
        except (TookTooLong, DatabaseError):
            read.add_metric([part], 0)
    yield read


def _consumers() -> Families:
    gauges = {
        name: GaugeMetricFamily(f"waybill_consumer_{name}", help, labels=["consumer"])
        for name, help in {
            "due": "Deliveries that are due and not claimed.",
            "waiting": "Deliveries that are in flight, due later, held, in the background, or parked.",
            "parked": "Deliveries that wait for code that knows them.",
            "held": "Deliveries that wait because the consumer is paused.",
            "dead": "Dead letters.",
            "oldest_seconds": "Time since the oldest due or held delivery could have been handled.",
            "paused": "1 if the consumer is paused.",
        }.items()
    }
    for each in standings():
        backlog = each.backlog
        values = (backlog.pending, backlog.waiting, backlog.parked, each.held, backlog.dead, each.oldest)
        for gauge, value in zip(gauges.values(), (*values, each.state.is_paused), strict=True):
            gauge.add_metric([each.name], float(value))
    yield from gauges.values()


def _read_models() -> Families:
    labels = ["read_model"]
    events = GaugeMetricFamily("waybill_read_model_events_behind", "Events it does not show yet.", labels=labels)
    seconds = GaugeMetricFamily("waybill_read_model_seconds_behind", "Age of the oldest of them.", labels=labels)
    stopped = GaugeMetricFamily("waybill_read_model_stopped", "1 if its projection failed.", labels=labels)
    for each in lag():
        events.add_metric([each.read_model], each.events)
        seconds.add_metric([each.read_model], each.seconds)
        stopped.add_metric([each.read_model], float(bool(each.error)))
    yield from (events, seconds, stopped)


def _sweep() -> Families:
    last = last_heartbeat(SWEEP)
    ago = (clock.now() - last).total_seconds() if last else math.inf
    yield GaugeMetricFamily(
        "waybill_sweep_seconds_ago", "Time since the last sweep, which needs beat and a worker.", value=ago
    )


def _payments() -> Families:
    unknown = Payment.objects.filter(status=PaymentStatus.UNKNOWN)
    found = unknown.aggregate(number=Count("pk"), oldest=Min("created_at"))
    age = (clock.now() - found["oldest"]).total_seconds() if found["oldest"] else 0.0
    yield GaugeMetricFamily("waybill_payments_unknown", "Payments with an unknown outcome.", value=found["number"])
    yield GaugeMetricFamily("waybill_payments_unknown_oldest_seconds", "Age of the oldest of them.", value=age)


def _webhooks() -> Families:
    pending = GaugeMetricFamily(
        "waybill_webhook_pending", "Messages that an enabled endpoint has not had yet.", labels=["kind"]
    )
    oldest = GaugeMetricFamily(
        "waybill_webhook_oldest_seconds", "Time since the first of them has been due.", labels=["kind"]
    )
    endpoints = GaugeMetricFamily("waybill_webhook_endpoints", "Endpoints by status.", labels=["status"])
    waiting = EndpointDelivery.objects.filter(status=DeliveryStatus.PENDING, endpoint__status=EndpointStatus.ENABLED)
    found = waiting.order_by().values_list("endpoint__kind").annotate(Count("pk"), Min("due_at"))
    by_kind = {kind: (number, due_at) for kind, number, due_at in found}
    for kind in Kind.values:
        number, due_at = by_kind.get(kind, (0, clock.now()))
        pending.add_metric([kind], number)
        oldest.add_metric([kind], max((clock.now() - due_at).total_seconds(), 0.0))
    statuses = dict(WebhookEndpoint.objects.order_by().values_list("status").annotate(Count("pk")))
    for status in EndpointStatus.values:
        endpoints.add_metric([status], statuses.get(status, 0))
    yield from (pending, oldest, endpoints)


def _orders() -> Families:
    orders = GaugeMetricFamily("waybill_orders", "Orders by state.", labels=["state"])
    found = dict(Order.objects.order_by().values_list("status").annotate(Count("pk")))
    for status in OrderStatus:
        orders.add_metric([status.name.lower()], found.get(status.value, 0))
    yield orders


PARTS: dict[str, Callable[[], Families]] = {
    "sweep": _sweep,
    "consumers": _consumers,
    "read_models": _read_models,
    "payments": _payments,
    "webhooks": _webhooks,
    "orders": _orders,
}
"""What is read, by name. The one that grows with the number of orders is last."""
