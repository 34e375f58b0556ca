"""The broker only wakes workers up: ringing may fail, be lost or come twice, and nothing else is lost with it.

A request that has committed is neither failed nor held up by a broker that is down or silent: ringing has a short
time-out, and after a failure the bell is left alone for a while. The sweep finds what nobody rang for.

At most one wake-up a lane is on its way, on Redis and in the memory of the one process: a key says that there is one,
and whoever finds it set need not ring. A worker deletes it before it looks for what is due. So whoever found it set had
committed before that look, which finds what they committed; whoever commits later finds it deleted, and rings. A key
whose wake-up was lost silences nobody for long: it expires, and before that the sweep deletes it and rings anew for
what is still due. A key that is missing, and a Redis that will not keep any, cost wake-ups too many, each of which does
only what is due.

A worker that is done with a lane goes on with one that it would have rung for, so an order that is alone takes one
wake-up and not one for each step. Should it be killed before it gets there, that is a wake-up lost.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import wraps
from typing import Any, NamedTuple

from celery import current_app
from django.conf import settings
from kombu import Producer
from kombu.exceptions import OperationalError
from redis import Redis, RedisError, ResponseError

log = logging.getLogger(__name__)


class DeliveryQueue(NamedTuple):
    """What one wake-up is for: a context's reactions in a transaction, or its talks with the outside world."""

    context: str
    external: bool


class _PerThread(threading.local):
    """Each thread's own connection to the broker, and the lane it goes on with, if it goes on at all."""

    producer: Producer | None = None
    own: set[DeliveryQueue] | None = None


_thread = _PerThread()
_quiet_until = 0.0

WAKEUP_EXPIRES = timedelta(seconds=2)
"""For this long a wake-up that was lost may keep others from being sent."""


def queue_of(context: str) -> str:
    """The name of the Celery queue a context's workers listen to."""
    return f"{settings.QUEUE_PREFIX}.{context}"


def _tolerating_broker_failure(
    talk: Callable[[Collection[DeliveryQueue]], None],
) -> Callable[[Collection[DeliveryQueue]], None]:
    """Let `talk` never raise for the broker's sake, and leave a broker that could not be reached alone for a while."""

    @wraps(talk)
    def try_to_talk(delivery_queues: Collection[DeliveryQueue]) -> None:
        global _quiet_until
        if not delivery_queues or time.monotonic() < _quiet_until:
            return
        try:
            talk(delivery_queues)
        except (OperationalError, OSError, RedisError) as error:
            _thread.producer = None
            _quiet_until = time.monotonic() + settings.BROKER_QUIET_SECONDS
            log.warning("broker unreachable, left to the sweep for %s s: %s", settings.BROKER_QUIET_SECONDS, error)

    return try_to_talk


@_tolerating_broker_failure
def wake(delivery_queues: Collection[DeliveryQueue]) -> None:
    """Wake a worker for each lane for which no wake-up is on its way yet."""
    _wake_workers(delivery_queues)


def wake_or_keep(delivery_queues: Collection[DeliveryQueue]) -> None:
    """Have each lane looked at: the first by this thread, if it is going on, the others by whoever is woken."""
    others = []
    for delivery_queue in delivery_queues:
        if _thread.own is not None and _thread.own <= {delivery_queue} and _is_served_here(delivery_queue):
            _thread.own.add(delivery_queue)
        else:
            others.append(delivery_queue)
    wake(others)


@contextmanager
def keeping_one() -> Iterator[set[DeliveryQueue]]:
    """Have this thread keep one lane that is called for: it is in the set, to be taken out and looked at."""
    own: set[DeliveryQueue] = set()
    _thread.own = own
    try:
        yield own
    finally:
        _thread.own = None
        wake(own)


def wake_for_kept() -> None:
    """Let somebody else look at the lane this thread has kept, for it is not done with its own yet."""
    if _thread.own:
        delivery_queues = [*_thread.own]
        _thread.own.clear()
        wake(delivery_queues)


def _is_served_here(delivery_queue: DeliveryQueue) -> bool:
    """Whether this worker listens for the lane's context: others may have what it takes, such as a way outside."""
    return queue_of(delivery_queue.context) in current_app.amqp.queues.consume_from


@_tolerating_broker_failure
def clear_wakeups(delivery_queues: Collection[DeliveryQueue]) -> None:
    """Say that these lanes are about to be looked at: whoever commits from now on rings anew."""
    if keys := _keys():
        keys.delete(*map(_key_of, delivery_queues))


@contextmanager
def wakeups_handled_by(wake: Callable[[DeliveryQueue], None]) -> Iterator[None]:
    """Let `wake` have this process' wake-ups instead of the broker."""

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
        current_app.send_task(
            "waybill.deliver",
            args=list(delivery_queue),
            queue=queue_of(delivery_queue.context),
            producer=_producer(),
            retry=False,
            ignore_result=True,
        )


_wake_workers: Callable[[Collection[DeliveryQueue]], None] = _send


def _without_wakeup(delivery_queues: Collection[DeliveryQueue]) -> Collection[DeliveryQueue]:
    """Those of the lanes for which no wake-up is on its way; one is to be sent now."""
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
    """The keys as a Redis keeps them."""

    client: Redis

    def set_new(self, *keys: str) -> list[bool]:
        """Of each whether it was not there, or cannot be kept, for Redis is full, say; one round trip."""
        asked = self.client.pipeline(transaction=False)
        for key in keys:
            asked.set(key, 1, nx=True, px=WAKEUP_EXPIRES)
        return [
            bool(clear_wakeups) for clear_wakeups in asked.execute(raise_on_error=False)
        ]  # an error is one that is not kept

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
    """The broker's keys, if it is one that keeps any."""
    channel: Any = _producer().channel
    match channel.connection.driver_type:
        case "redis":
            return _OnRedis(channel.client)
        case "memory":
            return _memory
    return None


def _producer() -> Producer:
    if _thread.producer is None:
        options = {**current_app.conf.broker_transport_options, **settings.WAKEUP_TRANSPORT_OPTIONS}
        connection = current_app.connection_for_write(transport_options=options)
        _thread.producer = current_app.amqp.Producer(connection, auto_declare=False)
    return _thread.producer
