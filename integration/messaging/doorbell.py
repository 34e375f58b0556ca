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


class Lane(NamedTuple):
    """What one wake-up is for: a context's reactions in a transaction, or its talks with the outside world."""

    context: str
    outside: bool


class _Bell(threading.local):
    """Each thread's own connection to the broker, and the lane it goes on with, if it goes on at all."""

    producer: Producer | None = None
    kept: set[Lane] | None = None


_bell = _Bell()
_quiet_until = 0.0

ON_ITS_WAY = timedelta(seconds=2)
"""For this long a wake-up that was lost may keep others from being sent."""


def queue_of(context: str) -> str:
    """The name of the Celery queue a context's workers listen to."""
    return f"{settings.QUEUE_PREFIX}.{context}"


def _unless_the_broker_is_away(talk: Callable[[Collection[Lane]], None]) -> Callable[[Collection[Lane]], None]:
    """Let `talk` never raise for the broker's sake, and leave a broker that could not be reached alone for a while."""

    @wraps(talk)
    def try_to_talk(lanes: Collection[Lane]) -> None:
        global _quiet_until
        if not lanes or time.monotonic() < _quiet_until:
            return
        try:
            talk(lanes)
        except (OperationalError, OSError, RedisError) as error:
            _bell.producer = None
            _quiet_until = time.monotonic() + settings.BROKER_QUIET_SECONDS
            log.warning("broker unreachable, left to the sweep for %s s: %s", settings.BROKER_QUIET_SECONDS, error)

    return try_to_talk


@_unless_the_broker_is_away
def ring(lanes: Collection[Lane]) -> None:
    """Wake a worker for each lane for which no wake-up is on its way yet."""
    _wake(lanes)


def call_for(lanes: Collection[Lane]) -> None:
    """Have each lane looked at: the first by this thread, if it is going on, the others by whoever is woken."""
    others = []
    for lane in lanes:
        if _bell.kept is not None and _bell.kept <= {lane} and _is_served_here(lane):
            _bell.kept.add(lane)
        else:
            others.append(lane)
    ring(others)


@contextmanager
def going_on() -> Iterator[set[Lane]]:
    """Have this thread keep one lane that is called for: it is in the set, to be taken out and looked at."""
    kept: set[Lane] = set()
    _bell.kept = kept
    try:
        yield kept
    finally:
        _bell.kept = None
        ring(kept)


def pass_on() -> None:
    """Let somebody else look at the lane this thread has kept, for it is not done with its own yet."""
    if _bell.kept:
        lanes = [*_bell.kept]
        _bell.kept.clear()
        ring(lanes)


def _is_served_here(lane: Lane) -> bool:
    """Whether this worker listens for the lane's context: others may have what it takes, such as a way outside."""
    return queue_of(lane.context) in current_app.amqp.queues.consume_from


@_unless_the_broker_is_away
def answer(lanes: Collection[Lane]) -> None:
    """Say that these lanes are about to be looked at: whoever commits from now on rings anew."""
    if keys := _keys():
        keys.delete(*map(_key_of, lanes))


@contextmanager
def answered_by(wake: Callable[[Lane], None]) -> Iterator[None]:
    """Let `wake` have this process' wake-ups instead of the broker."""

    def wake_each(lanes: Collection[Lane]) -> None:
        for lane in lanes:
            wake(lane)

    global _wake
    before, _wake = _wake, wake_each
    try:
        yield
    finally:
        _wake = before


def _send(lanes: Collection[Lane]) -> None:
    for lane in _to_be_woken(lanes):
        current_app.send_task(
            "waybill.deliver",
            args=list(lane),
            queue=queue_of(lane.context),
            producer=_producer(),
            retry=False,
            ignore_result=True,
        )


_wake: Callable[[Collection[Lane]], None] = _send


def _to_be_woken(lanes: Collection[Lane]) -> Collection[Lane]:
    """Those of the lanes for which no wake-up is on its way; one is to be sent now."""
    keys = _keys()
    if keys is None:
        return lanes
    return [lane for lane, is_new in zip(lanes, keys.set_new(*map(_key_of, lanes)), strict=True) if is_new]


def _key_of(lane: Lane) -> str:
    return f"{queue_of(lane.context)}.{'outside' if lane.outside else 'inside'}"


class _OnRedis(NamedTuple):
    """The keys as a Redis keeps them."""

    client: Redis

    def set_new(self, *keys: str) -> list[bool]:
        """Of each whether it was not there, or cannot be kept, for Redis is full, say; one round trip."""
        asked = self.client.pipeline(transaction=False)
        for key in keys:
            asked.set(key, 1, nx=True, px=ON_ITS_WAY)
        return [bool(answer) for answer in asked.execute(raise_on_error=False)]  # an error is one that is not kept

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
        self._until |= {key: now + ON_ITS_WAY.total_seconds() for key, is_new in zip(keys, new, strict=True) if is_new}
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
    if _bell.producer is None:
        options = {**current_app.conf.broker_transport_options, **settings.DOORBELL_TRANSPORT_OPTIONS}
        connection = current_app.connection_for_write(transport_options=options)
        _bell.producer = current_app.amqp.Producer(connection, auto_declare=False)
    return _bell.producer
