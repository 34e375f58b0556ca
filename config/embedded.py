"""The embedded mode: a Celery worker and beat as threads of the web process, over a broker in its memory.

A third thread watches them, and starts again what has ended, for whatever reason. Without a worker, orders would be
accepted and never handled.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from celery import beat
from celery.worker import WorkController
from django.conf import settings

from config.celery import app
from integration.messaging.call_threads import call_threads

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two looks at the threads."""


class Part:
    """A worker or beat in a thread of its own.

    Args:
        name: the thread's name.
        make: makes an object with `start`, which blocks until the object's work has ended, and `stop`.
    """

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        self._name, self._make = name, make

    def start(self) -> None:
        """Start the thread and return at once."""
        self._running = self._make()
        self._thread = threading.Thread(target=self._run, args=[self._running], name=self._name, daemon=True)
        self._thread.start()

    @staticmethod
    def _run(running: Any) -> None:
        app.set_current()
        running.start()

    def start_again_if_ended(self) -> None:
        """Start the thread again if it has ended."""
        if not self._thread.is_alive():
            log.error("the embedded %s has ended, and is started again", self._name)
            self.start()

    def stop(self) -> None:
        """Stop after the tasks that are running."""
        self._running.stop()


class Embedded:
    """A worker and beat, started, watched and stopped with the web process."""

    def __init__(self) -> None:
        self._parts = [Part("worker", _worker), Part("beat", _beat)]
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._watch_until_stopped, name="watch", daemon=True)

    def start(self) -> None:
        """Start the threads and return at once."""
        for part in self._parts:
            part.start()
        self._watch.start()
        log.info("worker and beat are running in this process")

    def stop(self) -> None:
        """Stop after the tasks that are running; due deliveries are handled after the next start."""
        self._stopping.set()
        self._watch.join()
        for part in reversed(self._parts):
            part.stop()
        call_threads.close()

    def _watch_until_stopped(self) -> None:
        while not self._stopping.wait(PAUSE):
            for part in self._parts:
                try:
                    part.start_again_if_ended()
                except Exception:  # the next look tries again
                    log.exception("a part of the embedded mode could not be started again")


def _worker() -> WorkController:
    return WorkController(
        app=app,
        pool_cls="threads",
        concurrency=settings.CELERY_WORKER_CONCURRENCY,
        hostname="embedded",
    )


def _beat() -> beat.Service:
    return beat.Service(app, scheduler_cls=app.conf.beat_scheduler)
