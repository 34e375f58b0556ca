"""The embedded mode: a Celery worker and beat as threads of the web process, over a broker in its memory."""

import logging
import threading
from typing import Any

from celery.beat import EmbeddedService
from celery.worker import WorkController
from django.conf import settings

from config.celery import app
from integration.messaging.call_threads import call_threads

log = logging.getLogger(__name__)


class Embedded:
    """A worker and beat, started and stopped with the web process."""

    def __init__(self) -> None:
        self._worker = WorkController(
            app=app,
            pool_cls="threads",
            concurrency=settings.CELERY_WORKER_CONCURRENCY,
            hostname="embedded",
        )
        self._beat: Any = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)

    def start(self) -> None:
        """Start both threads and return at once."""
        threading.Thread(target=self._worker.start, name="worker", daemon=True).start()
        self._beat.start()
        log.info("worker and beat are running in this process")

    def stop(self) -> None:
        """Stop after the tasks that are running; due deliveries are handled after the next start."""
        self._beat.stop()
        self._worker.stop()
        call_threads.close()
