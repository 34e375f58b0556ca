"""How a worker consumes: it survives every error of the broker."""

import time
from functools import partial
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

PAUSE = 1.0
"""Seconds between two attempts to consume again."""


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
