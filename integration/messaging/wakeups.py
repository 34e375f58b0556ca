"""The broker only wakes workers up: a wake-up may fail, get lost or arrive twice, and no delivery is lost with it.

A broker that is down or silent neither fails nor delays a request whose transaction has committed. Sending has a short
timeout, and after a failure nothing is sent for a while. The sweep finds deliveries that no wake-up was sent for.

On Redis and on the in-memory broker, at most one wake-up per delivery queue is pending. A key marks it: a publisher
that finds the key set sends no wake-up. A worker deletes the key before it looks for due deliveries. So a publisher
that found the key set had committed before that look, and the worker finds its deliveries. A publisher that commits
later finds the key deleted and sends a new wake-up.

A key whose wake-up was lost suppresses others only for a short time. The key expires, and earlier than that the sweep
deletes it and sends a new wake-up for what is still due. A missing key, or a Redis that stores none, only causes extra
wake-ups, and each of those does only work that is due. RabbitMQ has no such keys and gets every wake-up.

A worker that has finished a delivery queue goes on with a queue that it would otherwise wake a worker for. A single
order therefore takes one wake-up, not one per step. If the worker is killed before it gets there, that wake-up is lost,
and the sweep replaces it.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from celery import current_app
from django.conf import settings
from kombu import Producer
from redis import Redis, ResponseError

from integration.messaging.broker import BROKER_ERRORS, OPEN_WITHIN, start_opening

log = logging.getLogger(__name__)
T = TypeVar("T")


class DeliveryQueue(NamedTuple):
    """The address of a wake-up: a context, and whether its in-transaction or its external reactions are meant."""

    context: str
    external: bool


class TaskCall(NamedTuple):
    """A task to be run by a worker, with the options of `send_task`, such as its Celery queue."""

    name: str
    args: Collection[object]
    options: Mapping[str, Any]


class _PerThread(threading.local):
    """Each thread's own broker connection, and the delivery queue reserved for the thread; None if it reserves none."""

    producer: Producer | None = None
    opening: "Future[Producer] | None" = None
    opened_after = -1
    reserved: set[DeliveryQueue] | None = None


_thread = _PerThread()
_quiet_until = 0.0
_failures = 0
"""A connection that was opened before the last failure is not used again: it may have broken in the same way."""

SLOW_AFTER = 1.0
"""Seconds. To connect takes several round trips; not every thread of a process should wait for them in turn."""
WAKEUP_EXPIRES = timedelta(seconds=2)
"""How long a lost wake-up may suppress further ones."""


def queue_of(context: str) -> str:
    """The name of the Celery queue that a context's workers consume."""
    return f"{settings.QUEUE_PREFIX}.{context}"


def _tolerating_broker_failure(send: Callable[[Collection[T]], None]) -> Callable[[Collection[T]], None]:
    """Decorate `send`: it never raises because of the broker, and after a failed or slow send does nothing for a while.

    A connection that was open may have been lost since it was last used. Therefore a new one is tried first.
    """

    @wraps(send)
    def send_if_reachable(messages: Collection[T]) -> None:
        global _quiet_until, _failures
        began = time.monotonic()
        if not messages or began < _quiet_until:
            return
        for was_open in (_is_connected(), False):
            try:
                send(messages)
            except BROKER_ERRORS as error:
                _failures += 1
                if was_open:
                    continue
                problem = repr(error)
            else:
                if time.monotonic() - began <= SLOW_AFTER:
                    return
                problem = "it is slow"
            _quiet_until = time.monotonic() + settings.BROKER_QUIET_SECONDS
            log.warning("broker unavailable, nothing is sent for %s s: %s", settings.BROKER_QUIET_SECONDS, problem)
            return

    return send_if_reachable


@_tolerating_broker_failure
def wake(delivery_queues: Collection[DeliveryQueue]) -> None:
    """Wake a worker for each delivery queue that has no pending wake-up yet."""
    _wake_workers(delivery_queues)


def wake_or_reserve(delivery_queues: Collection[DeliveryQueue]) -> None:
    """Reserve the first delivery queue for this thread if it may go on with one, and wake workers for the others."""
    others = []
    for delivery_queue in delivery_queues:
        if _thread.reserved is not None and _thread.reserved <= {delivery_queue} and _is_served_here(delivery_queue):
            _thread.reserved.add(delivery_queue)
        else:
            others.append(delivery_queue)
    wake(others)


@contextmanager
def reserving_one() -> Iterator[set[DeliveryQueue]]:
    """Let this thread reserve one delivery queue; yields the set that holds it, from which the caller takes it.

    On exit, workers are woken for a queue that is still in the set.
    """
    reserved: set[DeliveryQueue] = set()
    _thread.reserved = reserved
    try:
        yield reserved
    finally:
        _thread.reserved = None
        wake(reserved)


def wake_for_reserved() -> None:
    """Wake a worker for the delivery queue that this thread has reserved, because the thread's current queue still has
    work."""
    if _thread.reserved:
        delivery_queues = [*_thread.reserved]
        _thread.reserved.clear()
        wake(delivery_queues)


def _is_served_here(delivery_queue: DeliveryQueue) -> bool:
    """Whether this worker consumes the Celery queue of the context.

    Only that context's own workers may have what its deliveries need, such as network access to an external system.
    """
    return queue_of(delivery_queue.context) in current_app.amqp.queues.consume_from


@_tolerating_broker_failure
def clear_wakeups(delivery_queues: Collection[DeliveryQueue]) -> None:
    """Record that these delivery queues are about to be looked at: a later commit sends a new wake-up."""
    if keys := _keys():
        keys.delete(*map(_key_of, delivery_queues))


@_tolerating_broker_failure
def send_tasks(calls: Collection[TaskCall]) -> None:
    """Have workers run these tasks, unless the broker is unavailable."""
    for call in calls:
        _send_task(call)


@contextmanager
def wakeups_handled_by(wake: Callable[[DeliveryQueue], None]) -> Iterator[None]:
    """Replace the broker in this process: its wake-ups call `wake`."""

    def wake_each(delivery_queues: Collection[DeliveryQueue]) -> None:
        for delivery_queue in delivery_queues:
            wake(delivery_queue)

    global _wake_workers
    before, _wake_workers = _wake_workers, wake_each
    try:
        yield
    finally:
        _wake_workers = before


def _send(delivery_queues: Collection[DeliveryQueue]) -> None:
    for delivery_queue in _without_wakeup(delivery_queues):
        _send_task(TaskCall("waybill.deliver", delivery_queue, {"queue": queue_of(delivery_queue.context)}))


def _send_task(call: TaskCall) -> None:
    current_app.send_task(
        call.name, args=list(call.args), producer=_producer(), retry=False, ignore_result=True, **call.options
    )


_wake_workers: Callable[[Collection[DeliveryQueue]], None] = _send


def _without_wakeup(delivery_queues: Collection[DeliveryQueue]) -> Collection[DeliveryQueue]:
    """The delivery queues that have no pending wake-up; each is marked as having one from now on."""
    keys = _keys()
    if keys is None:
        return delivery_queues
    return [
        delivery_queue
        for delivery_queue, is_new in zip(delivery_queues, keys.set_new(*map(_key_of, delivery_queues)), strict=True)
        if is_new
    ]


def _key_of(delivery_queue: DeliveryQueue) -> str:
    return f"{queue_of(delivery_queue.context)}.{'outside' if delivery_queue.external else 'inside'}"


class _OnRedis(NamedTuple):
    """The keys, stored in Redis."""

    client: Redis

    def set_new(self, *keys: str) -> list[bool]:
        """Set the keys that are missing; one round trip.

        Returns:
            For each key, whether a wake-up must be sent: the key was missing, or Redis could not store it, for example
            because it is full.
        """
        pipeline = self.client.pipeline(transaction=False)
        for key in keys:
            pipeline.set(key, 1, nx=True, px=WAKEUP_EXPIRES)
        return [
            bool(reply) for reply in pipeline.execute(raise_on_error=False)
        ]  # a ResponseError is truthy: that key was not stored

    def delete(self, *keys: str) -> None:
        with suppress(ResponseError):
            self.client.delete(*keys)


class _InMemory:
    """The keys of a broker that lives in this process."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def set_new(self, *keys: str) -> list[bool]:
        now = time.monotonic()
        new = [self._until.get(key, now) <= now for key in keys]
        self._until |= {
            key: now + WAKEUP_EXPIRES.total_seconds() for key, is_new in zip(keys, new, strict=True) if is_new
        }
        return new

    def delete(self, *keys: str) -> None:
        for key in keys:
            self._until.pop(key, None)


_memory = _InMemory()


def _keys() -> _OnRedis | _InMemory | None:
    """The key store of the broker, or None if the broker has none."""
    producer: Any = _producer()
    match producer.connection.transport.driver_type:
        case "redis":
            return _OnRedis(producer.channel.client)
        case "memory":
            return _memory
    return None


def _is_connected() -> bool:
    return _thread.producer is not None and _thread.opened_after == _failures


def _producer() -> Producer:
    if _thread.producer is None or not _is_connected():
        opening = _thread.opening
        if opening is None or (opening.done() and opening.exception()):
            _thread.opening = opening = start_opening(current_app)
        try:
            _thread.producer = opening.result(OPEN_WITHIN)
        finally:
            if opening.done():
                _thread.opening = None
        _thread.opened_after = _failures
    return _thread.producer
