"""A broker that is down or silent fails and delays no request, and for a while it gets no further wake-ups."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from amqp.exceptions import AMQPError, MessageNacked
from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError
from pytest_django import Settings
from redis import ConnectionError as RedisConnectionError
from redis import Redis, ResponseError
from redis import TimeoutError as RedisTimeoutError
from redis.exceptions import NoPermissionError

from config.broker import broker_settings
from integration.messaging import deliver, tasks, wakeups
from integration.messaging.wakeups import (
    SLOW_AFTER,
    WAKEUP_EXPIRES,
    DeliveryQueue,
    TaskCall,
    clear_wakeups,
    queue_of,
    send_tasks,
    wake,
    wake_for_reserved,
    wake_or_reserve,
)
from tests.chaos.outages.proxy import Proxy
from tests.chaos.servers import Redis as OwnRedis
from tests.system.running_system import eventually

IN_TRANSACTION, EXTERNAL = DeliveryQueue("inventory", False), DeliveryQueue("billing", True)
REAL_KEYS, REAL_PRODUCER = wakeups._keys, wakeups._producer
"""The original functions, before a fixture of all tests replaces them."""


class Broker:
    """A fake broker that can fail, and a fake clock."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.wakeups_sent: list[tuple[str, list[object], str]] = []
        self.attempts = 0
        self.now = 1000.0

    def send_task(self, name: str, args: list[object], queue: str, **kwargs: object) -> None:
        self.attempts += 1
        if self.error:
            raise self.error
        self.wakeups_sent.append((name, args, queue))

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Broker:
    broker = Broker()
    settings.QUEUE_PREFIX, settings.BROKER_QUIET_SECONDS = "system", 5.0
    monkeypatch.setattr(wakeups.current_app, "send_task", broker.send_task)
    monkeypatch.setattr(wakeups, "time", broker)
    return broker


def test_each_delivery_queue_is_woken_on_the_celery_queue_of_its_context(broker: Broker) -> None:
    wake([IN_TRANSACTION, EXTERNAL])

    assert broker.wakeups_sent == [
        ("waybill.deliver", ["inventory", False], "system.inventory"),
        ("waybill.deliver", ["billing", True], "system.billing"),
    ]
    assert queue_of("ordering") == "system.ordering"


def test_without_delivery_queues_nothing_is_sent(broker: Broker) -> None:
    wake([])

    assert broker.attempts == 0


@pytest.mark.parametrize("error", [OperationalError("down"), ConnectionResetError(), TimeoutError(), OSError()])
def test_a_broker_that_is_down_does_not_fail_the_caller(broker: Broker, error: Exception) -> None:
    broker.error = error

    wake([IN_TRANSACTION, EXTERNAL])

    assert broker.attempts == 1


def test_after_a_failure_nothing_is_sent_for_a_while(broker: Broker) -> None:
    broker.error = OperationalError("down")
    wake([IN_TRANSACTION])
    broker.error = None

    for broker.now in (1000.0, 1004.9):
        wake([IN_TRANSACTION])
    assert broker.attempts == 1

    broker.now = 1005.0
    wake([IN_TRANSACTION])
    wake([EXTERNAL])
    assert len(broker.wakeups_sent) == 2


def test_after_a_second_failure_nothing_is_sent_for_a_while_again(broker: Broker) -> None:
    broker.error = OperationalError("down")

    for broker.now in (1000.0, 1001.0, 1005.0, 1009.9, 1010.0):
        wake([IN_TRANSACTION])

    assert broker.attempts == 3


def test_a_bug_is_not_treated_as_a_broker_failure(broker: Broker) -> None:
    broker.error = ValueError("a bug of ours")

    with pytest.raises(ValueError, match="a bug of ours"):
        wake([IN_TRANSACTION])


@pytest.mark.parametrize("error", [AMQPError(), MessageNacked(), ResponseError("READONLY"), NoPermissionError()])
def test_an_error_reply_of_the_broker_does_not_fail_the_caller(broker: Broker, error: Exception) -> None:
    broker.error = error

    wake([IN_TRANSACTION])
    send_tasks([TaskCall("waybill.sweep", [], {"queue": "system.integration"})])

    assert broker.attempts == 1


def test_after_a_slow_send_nothing_is_sent_for_a_while(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    def send_slowly(*args: object, **kwargs: object) -> None:
        broker.attempts += 1
        broker.now += SLOW_AFTER + 0.1

    monkeypatch.setattr(wakeups.current_app, "send_task", send_slowly)
    for _ in range(3):
        wake([IN_TRANSACTION])

    assert broker.attempts == 1


# --- One pending wake-up per delivery queue ---


class Keys:
    """A fake Redis that stores keys and can fail."""

    def __init__(self) -> None:
        self.stored: set[str] = set()
        self.error: Exception | None = None

    def pipeline(self, transaction: bool) -> "Keys":
        assert not transaction
        self.requested: list[str] = []
        return self

    def set(self, key: str, value: int, nx: bool, px: timedelta) -> None:
        self.requested.append(key)

    def execute(self, raise_on_error: bool) -> list[object]:
        if isinstance(self.error, ResponseError) and not raise_on_error:
            return [self.error for _ in self.requested]
        if self.error:
            raise self.error
        replies = [key not in self.stored or None for key in self.requested]
        self.stored |= set(self.requested)
        return replies

    def delete(self, *keys: str) -> int:
        if self.error:
            raise self.error
        self.stored -= set(keys)
        return len(keys)


@pytest.fixture
def keys(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Keys:
    keys = Keys()
    monkeypatch.setattr(wakeups, "_keys", lambda: wakeups._OnRedis(keys))  # type: ignore[arg-type]
    return keys


def test_while_a_wake_up_is_pending_no_other_is_sent_for_its_delivery_queue(broker: Broker, keys: Keys) -> None:
    for _ in range(3):
        wake([IN_TRANSACTION, EXTERNAL])

    assert [args for _, args, _ in broker.wakeups_sent] == [list(IN_TRANSACTION), list(EXTERNAL)]


def test_after_a_worker_clears_a_wake_up_a_commit_sends_a_new_one(broker: Broker, keys: Keys) -> None:
    wake([IN_TRANSACTION, EXTERNAL])
    clear_wakeups([IN_TRANSACTION])
    wake([IN_TRANSACTION, EXTERNAL])

    assert [args for _, args, _ in broker.wakeups_sent] == [list(IN_TRANSACTION), list(EXTERNAL), list(IN_TRANSACTION)]


def test_a_worker_clears_the_wake_up_before_it_looks_for_deliveries(
    broker: Broker, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A publisher commits while the worker looks for deliveries, possibly after the worker's query.
    monkeypatch.setattr(deliver, "deliver_due", lambda delivery_queue: wake([delivery_queue]))
    wake([IN_TRANSACTION])

    tasks.deliver(*IN_TRANSACTION)

    assert len(broker.wakeups_sent) == 2


def test_a_lost_wake_up_does_not_suppress_the_sweep(
    broker: Broker, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "due_delivery_queues", lambda: [IN_TRANSACTION])
    monkeypatch.setattr(tasks, "note_heartbeat", lambda name: None)
    wake([IN_TRANSACTION, EXTERNAL])
    broker.wakeups_sent.clear()

    tasks.sweep()
    wake([IN_TRANSACTION])

    assert [args for _, args, _ in broker.wakeups_sent] == [list(IN_TRANSACTION)]


def test_a_redis_that_stores_no_key_gets_every_wake_up(broker: Broker, keys: Keys) -> None:
    keys.error = ResponseError("OOM command not allowed when used memory > 'maxmemory'")

    wake([IN_TRANSACTION])
    clear_wakeups([IN_TRANSACTION])
    wake([IN_TRANSACTION])

    assert len(broker.wakeups_sent) == 2


@pytest.mark.parametrize("function", [wake, clear_wakeups])
@pytest.mark.parametrize("error", [RedisConnectionError("gone"), RedisTimeoutError("silent")])
def test_after_a_redis_failure_nothing_is_sent_for_a_while(
    broker: Broker, keys: Keys, function: Callable[[list[DeliveryQueue]], None], error: Exception
) -> None:
    keys.error = error
    function([IN_TRANSACTION])
    keys.error = None

    wake([IN_TRANSACTION])
    assert broker.attempts == 0

    broker.now += 5.0
    wake([IN_TRANSACTION])
    assert broker.attempts == 1


# --- A worker goes on with the next delivery queue ---


class Reactions:
    """A fake handler: which delivery queues get deliveries when one is handled, and the order of handling."""

    def __init__(self, **causes: list[DeliveryQueue]) -> None:
        self.handled: list[DeliveryQueue] = []
        self._causes = causes

    def handle(self, delivery_queue: DeliveryQueue) -> None:
        self.handled.append(delivery_queue)
        wake_or_reserve(self._causes.get(delivery_queue.context, []))


@pytest.fixture
def reactions(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Reactions]]:
    """Register which delivery queues get deliveries when a context's queue is handled:
    `reactions(inventory=[EXTERNAL])`."""

    def cause(**causes: list[DeliveryQueue]) -> Reactions:
        reactions = Reactions(**causes)
        monkeypatch.setattr(deliver, "deliver_due", reactions.handle)
        return reactions

    queues = {queue_of(context): {} for context in ("ordering", "inventory", "billing")}
    monkeypatch.setattr(wakeups.current_app.amqp.queues, "_consume_from", queues)
    return cause


def test_a_worker_goes_on_with_the_queue_it_published_to_and_wakes_no_other(
    broker: Broker, reactions: Callable[..., Reactions]
) -> None:
    done = reactions(inventory=[EXTERNAL], billing=[DeliveryQueue("ordering", False)])

    tasks.deliver(*IN_TRANSACTION)

    assert done.handled == [IN_TRANSACTION, EXTERNAL, DeliveryQueue("ordering", False)]
    assert broker.wakeups_sent == []


def test_a_worker_reserves_the_first_of_several_queues_and_wakes_others_for_the_rest(
    broker: Broker, reactions: Callable[..., Reactions]
) -> None:
    done = reactions(inventory=[DeliveryQueue("ordering", False), EXTERNAL])

    tasks.deliver(*IN_TRANSACTION)

    assert done.handled == [IN_TRANSACTION, DeliveryQueue("ordering", False)]
    assert [args for _, args, _ in broker.wakeups_sent] == [list(EXTERNAL)]


def test_a_worker_that_reserved_a_queue_wakes_no_other_when_it_publishes_to_that_queue_again(
    broker: Broker, reactions: Callable[..., Reactions]
) -> None:
    done = reactions(inventory=[EXTERNAL, EXTERNAL])

    tasks.deliver(*IN_TRANSACTION)

    assert done.handled == [IN_TRANSACTION, EXTERNAL]
    assert broker.wakeups_sent == []


def test_a_worker_does_not_go_on_with_a_queue_it_does_not_consume(
    broker: Broker, reactions: Callable[..., Reactions]
) -> None:
    done = reactions(inventory=[DeliveryQueue("fulfillment", False)])

    tasks.deliver(*IN_TRANSACTION)

    assert done.handled == [IN_TRANSACTION]
    assert [args for _, args, _ in broker.wakeups_sent] == [["fulfillment", False]]


def test_a_worker_stops_going_on_after_a_while(
    broker: Broker, reactions: Callable[..., Reactions], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = reactions(inventory=[EXTERNAL], billing=[IN_TRANSACTION])
    monkeypatch.setattr(deliver, "LONGEST_WAKE", 0.5)
    monkeypatch.setattr(deliver.clock, "stopwatch", lambda: 0.2 * len(done.handled))

    tasks.deliver(*IN_TRANSACTION)

    assert done.handled == [IN_TRANSACTION, EXTERNAL, IN_TRANSACTION]
    assert [args for _, args, _ in broker.wakeups_sent] == [list(EXTERNAL)]


def test_a_worker_is_woken_for_a_reserved_queue_after_a_failure_or_when_busy(
    broker: Broker, reactions: Callable[..., Reactions], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never_done(delivery_queue: DeliveryQueue) -> None:
        wake_or_reserve([EXTERNAL])
        wake_for_reserved()
        wake_or_reserve([DeliveryQueue("ordering", False)])
        raise RuntimeError("the database is gone")

    reactions()
    monkeypatch.setattr(deliver, "deliver_due", never_done)

    with pytest.raises(RuntimeError, match="the database is gone"):
        tasks.deliver(*IN_TRANSACTION)

    assert [args for _, args, _ in broker.wakeups_sent] == [list(EXTERNAL), ["ordering", False]]


def test_a_thread_that_reserves_nothing_wakes_workers_for_all_queues(
    broker: Broker, reactions: Callable[..., Reactions]
) -> None:
    reactions()

    wake_or_reserve([EXTERNAL, IN_TRANSACTION])
    wake_for_reserved()

    assert [args for _, args, _ in broker.wakeups_sent] == [list(EXTERNAL), list(IN_TRANSACTION)]


# --- With real sockets: how Celery and Redis clients behave ---


ConnectTo = Callable[[str], Celery]


@pytest.fixture
def connect_to(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> ConnectTo:
    """Lets wake-ups go to the broker of a URL, over real connections that are opened however busy the machine is."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery prefers this variable
    monkeypatch.setattr(wakeups, "OPEN_WITHIN", 60.0)
    monkeypatch.setattr(wakeups, "_keys", REAL_KEYS)
    monkeypatch.setattr(wakeups, "_producer", REAL_PRODUCER)

    def connect_to(url: str) -> Celery:
        app = Celery("test", broker=url, set_as_current=False)
        monkeypatch.setattr(wakeups, "current_app", app)
        if not url.startswith("memory"):
            settings.WAKEUP_TRANSPORT_OPTIONS = broker_settings(url)["WAKEUP_TRANSPORT_OPTIONS"]
        return app

    return connect_to


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port that no process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize(("scheme", "function"), [("redis", wake), ("redis", clear_wakeups), ("amqp", wake)])
@pytest.mark.parametrize("port", ["silent_port", "closed_port"])
def test_a_silent_broker_delays_no_caller_for_long_and_no_further_caller_at_all(
    function: Callable[[list[DeliveryQueue]], None],
    port: str,
    scheme: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    connect_to: ConnectTo,
) -> None:
    connect_to(f"{scheme}://127.0.0.1:{request.getfixturevalue(port)}/0")
    settings.BROKER_QUIET_SECONDS = 600.0

    began = time.monotonic()
    function([IN_TRANSACTION])

    assert wakeups._quiet_until > began, "a timeout has ended the wait"
    monkeypatch.setattr(wakeups, "_producer", lambda: pytest.fail("the broker is contacted again"))
    wake([IN_TRANSACTION, EXTERNAL])
    clear_wakeups([IN_TRANSACTION])


@pytest.fixture
def lossy_redis(tmp_path: Path) -> Iterator[tuple[OwnRedis, Proxy]]:
    """A Redis behind a proxy that can lose connections."""
    server = OwnRedis(tmp_path / "redis")
    server.start()
    proxy = Proxy(server.port)
    yield server, proxy
    proxy.close()
    server.kill()


@pytest.mark.redis
@pytest.mark.parametrize("lose", ["closed", "black hole"])
def test_a_connection_that_was_lost_is_replaced_at_once(
    lose: str, lossy_redis: tuple[OwnRedis, Proxy], connect_to: ConnectTo
) -> None:
    server, proxy = lossy_redis
    connect_to(f"redis://127.0.0.1:{proxy.port}/0")
    wake([IN_TRANSACTION])

    with server.client() as client:
        if lose == "closed":
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        else:
            proxy.turn_into_black_holes()
        wake([EXTERNAL])

        assert client.llen(queue_of("billing")) == 1
    assert wakeups._quiet_until == 0.0


@pytest.mark.parametrize(
    "scheme", [pytest.param("redis", marks=pytest.mark.redis), pytest.param("amqp", marks=pytest.mark.rabbitmq)]
)
def test_a_slow_broker_delays_no_caller_by_the_sum_of_its_round_trips(
    scheme: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    connect_to: ConnectTo,
) -> None:
    if scheme == "redis":
        proxy = request.getfixturevalue("lossy_redis")[1]
    else:
        proxy = Proxy(urlsplit(os.environ["RABBITMQ_URL"]).port or 5672)
        request.addfinalizer(proxy.close)
    connect_to(f"{scheme}://127.0.0.1:{proxy.port}/{0 if scheme == 'redis' else '/'}")
    settings.WAKEUP_TRANSPORT_OPTIONS = {}  # no timeout of a single round trip, which a busy machine would exceed
    monkeypatch.setattr(wakeups, "OPEN_WITHIN", 0.1)
    proxy.delay = 0.15  # in each direction; to connect takes ten round trips on RabbitMQ, and more on Redis

    wake([IN_TRANSACTION])

    opening = wakeups._thread.opening
    assert opening
    assert not opening.done(), "the caller did not wait until the connection was open"
    assert wakeups._quiet_until > 0
    opening.result(60)
    monkeypatch.setattr(wakeups, "_quiet_until", 0.0)
    wake([IN_TRANSACTION])
    assert wakeups._thread.producer is opening.result(), "the connection is used once it is open"


@pytest.mark.skipif(settings.EMBEDDED, reason="in embedded mode the broker is in memory")
def test_redis_holds_one_wake_up_per_delivery_queue_until_it_is_cleared_or_expires(
    settings: Settings, connect_to: ConnectTo
) -> None:
    connect_to(settings.CELERY_BROKER_URL)
    settings.QUEUE_PREFIX = f"test-{uuid4()}"
    key, queue = f"{settings.QUEUE_PREFIX}.inventory.inside", f"{settings.QUEUE_PREFIX}.inventory"
    with Redis.from_url(settings.CELERY_BROKER_URL) as redis:
        try:
            for _ in range(3):
                wake([IN_TRANSACTION])
            assert (redis.llen(queue), redis.exists(key)) == (1, 1)
            assert 0 < redis.pttl(key) <= WAKEUP_EXPIRES.total_seconds() * 1000

            clear_wakeups([IN_TRANSACTION])
            assert redis.exists(key) == 0
            for _ in range(3):
                wake([IN_TRANSACTION])
            assert redis.llen(queue) == 2

            redis.pexpire(key, 1)
            eventually(lambda: redis.exists(key), lambda exists: not exists, "the key to expire")
            wake([IN_TRANSACTION])
            assert redis.llen(queue) == 3
        finally:
            redis.delete(key, queue)


def test_the_in_memory_broker_holds_one_wake_up_per_delivery_queue(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, connect_to: ConnectTo
) -> None:
    monkeypatch.setattr(connect_to("memory://localhost"), "send_task", broker.send_task)
    monkeypatch.setattr(wakeups, "_memory", wakeups._InMemory())

    def sent_for(delivery_queue: DeliveryQueue) -> int:
        wake([delivery_queue])
        return sum(args == list(delivery_queue) for _, args, _ in broker.wakeups_sent)

    assert [sent_for(IN_TRANSACTION), sent_for(IN_TRANSACTION), sent_for(EXTERNAL)] == [1, 1, 1]
    clear_wakeups([IN_TRANSACTION])
    assert [sent_for(IN_TRANSACTION), sent_for(EXTERNAL)] == [2, 1]
    broker.now += WAKEUP_EXPIRES.total_seconds()
    assert [sent_for(IN_TRANSACTION), sent_for(IN_TRANSACTION), sent_for(EXTERNAL)] == [3, 3, 2]


def test_wake_ups_can_be_handled_in_process_instead_of_by_the_broker(broker: Broker) -> None:
    handled: list[DeliveryQueue] = []
    with wakeups.wakeups_handled_by(handled.append):
        wake([IN_TRANSACTION, EXTERNAL])
    wake([EXTERNAL])

    assert handled == [IN_TRANSACTION, EXTERNAL]
    assert len(broker.wakeups_sent) == 1


def test_a_wake_up_is_tried_once_and_needs_no_result(monkeypatch: pytest.MonkeyPatch, broker: Broker) -> None:
    options: list[dict[str, object]] = []
    monkeypatch.setattr(wakeups.current_app, "send_task", lambda name, **kwargs: options.append(kwargs))
    wake([IN_TRANSACTION])
    assert (options[0]["retry"], options[0]["ignore_result"]) == (False, True)


def test_a_thread_keeps_its_connection_to_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Future[object]] = []

    def start_opening(app: object) -> "Future[object]":
        opened.append(Future())
        opened[-1].set_result(object())
        return opened[-1]

    monkeypatch.setattr(wakeups, "start_opening", start_opening)
    assert REAL_PRODUCER() is REAL_PRODUCER()
    assert len(opened) == 1
