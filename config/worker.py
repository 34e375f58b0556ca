"""How a worker consumes: it survives every error of the broker, and runs only task messages as Waybill sends them."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import msgspec
from celery.worker.consumer import Consumer as CeleryConsumer

from integration.domain import clock

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two attempts to consume again."""


class Headers(msgspec.Struct, frozen=True, omit_defaults=True):
    """The headers of a task message that a worker looks at; others, such as limits of time and `expires`, are
    removed: a worker whose clock is ahead would find every message expired."""

    task: Literal["waybill.deliver", "waybill.sweep", "waybill.run"]
    id: str
    lang: Literal["py"] = "py"
    root_id: str | None = None
    argsrepr: str = ""
    kwargsrepr: str = ""
    origin: str = ""


class Followers(msgspec.Struct, frozen=True):
    """What Celery would run after a task: Waybill's tasks have nothing of the kind."""

    callbacks: None = None
    errbacks: None = None
    chain: None = None
    chord: None = None


class TaskMessage(msgspec.Struct, frozen=True):
    """A message as Waybill's publishers and beat send it."""

    headers: Headers
    content_type: Literal["application/json"]
    content_encoding: Literal["utf-8"]


BODY = msgspec.json.Decoder(tuple[list[str | bool], dict[str, str | bool], Followers])


def checked_headers(message: Any) -> dict[str, Any]:
    """The headers of a kombu message that may be run.

    Raises:
        ValueError: if Waybill sends no message with such headers.
    """
    parts = {name: getattr(message, name) for name in TaskMessage.__struct_fields__}
    task_message = msgspec.convert(parts, TaskMessage)
    return msgspec.to_builtins(task_message.headers)


class Repeats:
    """Finds the messages of beat that repeat what this worker has just accepted.

    After a pause of the workers, thousands of them wait. The first finds the work of all; the others would delay it.

    Args:
        schedule: beat's schedule.
    """

    def __init__(self, schedule: Mapping[str, Mapping[str, Any]]) -> None:
        self._interval = {(entry["task"], *entry["args"]): entry["schedule"] for entry in schedule.values()}
        self._accepted: dict[tuple[Any, ...], float] = {}

    def has(self, task: str, args: Sequence[Any]) -> bool:
        """Whether such a message was accepted less than half its interval ago. Otherwise this one is accepted."""
        key, now = (task, *args), clock.stopwatch()
        if key not in self._interval:
            return False
        if now - self._accepted.get(key, float("-inf")) < self._interval[key] / 2:
            return True
        self._accepted[key] = now
        return False


class Consumer(CeleryConsumer):
    """Celery's consumer of task messages.

    Workers send each other nothing: no events, heartbeats or remote control. That saves connections to the broker, and
    with them ways to fail.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        off = dict.fromkeys(["without_gossip", "without_mingle", "without_heartbeat"], True)
        kwargs["worker_options"] = {**kwargs.get("worker_options", {}), **off}
        super().__init__(*args, **kwargs)

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, and try again every second; Celery's back-off grows to half a minute."""
        conn.ensure_connection = partial(conn.ensure_connection, interval_start=1, interval_step=0, interval_max=1)
        return super().ensure_connected(conn)

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Log the error and pause; Celery tries again at once."""
        super().on_connection_error_before_connected(exc)
        time.sleep(PAUSE)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Log the error, close the connection and pause; Celery tries again at once."""
        super().on_connection_error_after_connected(exc)
        time.sleep(PAUSE)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """What is done with a message: reject and log it, or run the task with the headers that Waybill knows."""
        handle = super().create_task_handler(*args, **kwargs)
        repeats = Repeats(self.app.conf.beat_schedule)

        def handle_or_reject(message: Any) -> None:
            try:
                message.headers = checked_headers(message)
                task_args, *_ = BODY.decode(message.body)
            except (TypeError, ValueError) as error:
                log.error("rejected a malformed message: %s", error)
                message.reject()
            else:
                if repeats.has(message.headers["task"], task_args):
                    message.ack()
                else:
                    handle(message)

        return handle_or_reject
