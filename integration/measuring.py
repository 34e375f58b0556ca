"""What each process counts: instruments in the format of Prometheus. `config.metrics` shows them at `/metrics`.

Labels have few values: names of routes and of consumers, never a path, a number of an order or a person. Counting
writes to memory, or to a file that the process maps into memory, and never to the database. So it counts what was
committed, and a process that is killed between a commit and counting has counted one less.

Source of the naming: Prometheus, "Metric and label naming".
"""

from prometheus_client import Counter, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper limits of the buckets of what takes milliseconds to seconds."""

MINUTES = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
"""The upper limits of the buckets, in seconds, of what may wait for a provider."""

REQUESTS = Counter("waybill_http_requests", "Requests by route and status.", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "waybill_http_request_seconds", "Time from a whole request to its response.", ["route"], buckets=SECONDS
)
PUBLISHED = Counter("waybill_deliveries_published", "Deliveries that were published.", ["context"])
ATTEMPTS = Counter("waybill_delivery_attempts", "Attempts at deliveries, by outcome.", ["consumer", "outcome"])
HANDLING_SECONDS = Histogram(
    "waybill_delivery_seconds",
    "Time to handle a delivery; of a batch, the mean.",
    ["consumer"],
    buckets=SECONDS,
)

DONE, FAILED, DIED = "done", "failed", "died"
"""Outcomes of an attempt: its effects are committed; it is retried; it is a dead letter."""


def count_done(consumer: str, number: int, seconds: float) -> None:
    """Count deliveries that were handled together.

    Args:
        consumer: the consumer's wire name.
        number: how many they were.
        seconds: the time that all of them took.
    """
    if number:
        ATTEMPTS.labels(consumer, DONE).inc(number)
        handling = HANDLING_SECONDS.labels(consumer)
        for _ in range(number):
            handling.observe(seconds / number)


def count_failed(consumer: str, *, died: bool) -> None:
    """Count an attempt that failed; `died` says whether the delivery is a dead letter now."""
    ATTEMPTS.labels(consumer, DIED if died else FAILED).inc()
