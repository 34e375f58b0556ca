"""What a log line says besides its message: the story that it belongs to, and what an access line is about.

Each request, each attempt at a delivery and each run of a routine has a line of its own, the access log. It names
routes, never paths: a path or a query may contain a token or an address. Every line inside a story has the story's
correlation id and its actor. All lines can be found by that id, and the page of a story links to them.
"""

import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from integration.domain.metadata import Cause, current_cause, has_cause
from integration.domain.redaction import without_rows

access_log = logging.getLogger("waybill.access")
"""The logger of access lines."""

FIELDS = (
    "method",
    "route",
    "status",
    "consumer",
    "routine",
    "task",
    "attempt",
    "outcome",
    "ms",
    "order",
    "actor",
    "correlation_id",
    "trace_id",
)
"""What a line may say besides its message, in this order. A line leaves out what it does not know."""


def story_fields(cause: Cause | None = None) -> dict[str, str]:
    """The fields of a story: by default of the current one, if there is any."""
    if cause is None:
        if not has_cause():
            return {}
        cause = current_cause()
    fields = {"actor": cause.actor, "correlation_id": str(cause.correlation_id)}
    if cause.traceparent:
        fields["trace_id"] = cause.traceparent.split("-")[1]
    return fields


def order_of(event: object) -> dict[str, str]:
    """The field of the order that an event is about, if it is about one."""
    order = getattr(event, "order", None)
    return {"order": str(order)} if order else {}


def milliseconds(seconds: float) -> float:
    """A duration as a line shows it."""
    return round(seconds * 1_000, 1)


def log_request(method: str, route: str, status: int, seconds: float, order: str = "") -> None:
    """Write the line of a request.

    Args:
        method: the HTTP method.
        route: the name of the route.
        status: the status of the response.
        seconds: how long it took.
        order: the number of the order that it is about, if it is about one.
    """
    about = {"order": order} if order else {}
    fields = {"method": method, "route": route, "status": status, "ms": milliseconds(seconds), **about}
    access_log.info("request", extra=fields)


def log_delivery(consumer: str, attempt: int, outcome: str, seconds: float, event: object, cause: Cause) -> None:
    """Write the line of an attempt at a delivery.

    Args:
        consumer: its wire name.
        attempt: the number of the attempt, from 1.
        outcome: how it ended, such as `done`.
        seconds: how long it took; for one of a batch, the mean.
        event: the event that was delivered.
        cause: the event's cause.
    """
    fields = {"consumer": consumer, "attempt": attempt, "outcome": outcome, "ms": milliseconds(seconds)}
    access_log.info("delivery", extra={**fields, **order_of(event), **story_fields(cause)})


def log_task(task: str, seconds: float | None = None, routine: str = "") -> None:
    """Write the line of a task that beat sends. Several run each second, so the line is shown only at level DEBUG.

    Args:
        task: its wire name.
        seconds: how long it took in a worker; None when beat sends it.
        routine: the wire name of the routine that it ran, if it ran one.
    """
    fields: dict[str, object] = {"task": task, "outcome": "sent" if seconds is None else "done"}
    if seconds is not None:
        fields["ms"] = milliseconds(seconds)
    access_log.debug("task", extra={**fields, **({"routine": routine} if routine else {})})


class _Formatter(logging.Formatter):
    """Formats a record's time, its fields and its traceback."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The moment in UTC, in ISO 8601, to the millisecond."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    def fields(self, record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
        """The fields of a record, with those of the current story."""
        known: Mapping[str, Any] = {**story_fields(), **vars(record)}
        return ((name, known[name]) for name in FIELDS if known.get(name) is not None)


class TextFormatter(_Formatter):
    """For people: one line with the fields as `name=value`, and a traceback below it."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, with spaces instead of line breaks: a text that somebody sent cannot look like another line."""
        line = super().formatMessage(record)
        fields = "".join(f" {name}={value}" for name, value in self.fields(record))
        return " ".join(without_rows(line + fields).splitlines())

    def format(self, record: logging.LogRecord) -> str:
        """The line and the traceback, without values of rows."""
        return without_rows(super().format(record))


class JsonFormatter(_Formatter):
    """For programs: each line is a JSON object, also with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The object, without values of rows."""
        line: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": without_rows(record.getMessage()),
            **dict(self.fields(record)),
        }
        if record.exc_info and record.exc_info[0]:
            line["traceback"] = without_rows("".join(traceback.format_exception(*record.exc_info)))
        return json.dumps(line, default=str)
