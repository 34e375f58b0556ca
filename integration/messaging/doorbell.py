"""The broker only wakes workers up: ringing may fail, be lost or come twice, and nothing else is lost with it.

A request that has committed is neither failed nor held up by a broker that is down or silent: ringing has a short
time-out, and after a failure the bell is left alone for a while. The sweep finds what nobody rang for.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from celery import current_app
from django.conf import settings
from kombu import Producer
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


class Lane(NamedTuple):
    """What one wake-up is for: a context's reactions in a transaction, or its talks with the outside world."""

    context: str
    outside: bool


class _Bell(threading.local):
    """Each thread's own connection to the broker."""

    producer: Producer | None = None


_bell = _Bell()
_quiet_until = 0.0


def queue_of(context: str) -> str:
    """The name of the Celery queue a context's workers listen to."""
    return f"{settings.QUEUE_PREFIX}.{context}"


def ring(lanes: Iterable[Lane]) -> None:
    """Wake a worker for each lane; never raises for the broker's sake."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        for lane in lanes:
            _wake(lane)
    except (OperationalError, OSError) as error:
        _bell.producer = None
        _quiet_until = time.monotonic() + settings.BROKER_QUIET_SECONDS
        log.warning("broker unreachable, left to the sweep for %s s: %s", settings.BROKER_QUIET_SECONDS, error)


@contextmanager
def answered_by(wake: Callable[[Lane], None]) -> Iterator[None]:
    """Let `wake` have this process' wake-ups instead of the broker."""
    global _wake
    before, _wake = _wake, wake
    try:
        yield
    finally:
        _wake = before


def _send(lane: Lane) -> None:
    current_app.send_task(
        "waybill.deliver",
        args=list(lane),
        queue=queue_of(lane.context),
        producer=_producer(),
        retry=False,
        ignore_result=True,
    )


_wake: Callable[[Lane], None] = _send


def _producer() -> Producer:
    if _bell.producer is None:
        options = {**current_app.conf.broker_transport_options, **settings.DOORBELL_TRANSPORT_OPTIONS}
        connection = current_app.connection_for_write(transport_options=options)
        _bell.producer = current_app.amqp.Producer(connection, auto_declare=False)
    return _bell.producer
