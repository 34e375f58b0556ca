"""A broker that is down or silent costs nobody their request, and is left alone for a while."""

import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError
from pytest_django import Settings
from redis import ConnectionError as RedisConnectionError
from redis import Redis, ResponseError
from redis import TimeoutError as RedisTimeoutError

from integration.messaging import deliver, tasks, wakeups
from integration.messaging.wakeups import (
    WAKEUP_EXPIRES,
    DeliveryQueue,
    clear_wakeups,
    queue_of,
    wake,
    wake_for_kept,
    wake_or_keep,
)
from tests.system.running_system import eventually

INSIDE, OUTSIDE = DeliveryQueue("inventory", False), DeliveryQueue("billing", True)
ASK_FOR_KEYS = wakeups._keys
"""As it is before a test is kept from talking to any."""


class Broker:
    """A broker on good and bad days, and a watch to wait by."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.wakeups_sent: list[tuple[str, list[object], str]] = []
        self.tried = 0
        self.now = 1000.0

    def send_task(self, name: str, args: list[object], queue: str, **kwargs: object) -> None:
        self.tried += 1
        if self.trouble:
            raise self.trouble
        self.wakeups_sent.append((name, args, queue))

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Broker:
    broker = Broker()
    settings.QUEUE_PREFIX, settings.BROKER_QUIET_SECONDS = "running_system", 5.0
    monkeypatch.setattr(wakeups.current_app, "send_task", broker.send_task)
    monkeypatch.setattr(wakeups, "time", broker)
    return broker


def test_each_lane_is_rung_for_on_the_queue_of_its_context(broker: Broker) -> None:
    wake([INSIDE, OUTSIDE])

    assert broker.wakeups_sent == [
        ("waybill.deliver", ["inventory", False], "system.inventory"),
        ("waybill.deliver", ["billing", True], "system.billing"),
    ]
    assert queue_of("ordering") == "system.ordering"


def test_with_no_lane_nobody_rings(broker: Broker) -> None:
    wake([])

    assert broker.tried == 0


@pytest.mark.parametrize("trouble", [OperationalError("down"), ConnectionResetError(), TimeoutError(), OSError()])
def test_a_broker_that_is_down_is_not_the_callers_trouble(broker: Broker, trouble: Exception) -> None:
    broker.trouble = trouble

    wake([INSIDE, OUTSIDE])

    assert broker.tried == 1


def test_a_broker_that_was_down_is_left_alone_for_a_while(broker: Broker) -> None:
    broker.trouble = OperationalError("down")
    wake([INSIDE])
    broker.trouble = None

    for broker.now in (1000.0, 1004.9):
        wake([INSIDE])
    assert broker.tried == 1

    broker.now = 1005.0
    wake([INSIDE])
    wake([OUTSIDE])
    assert len(broker.wakeups_sent) == 2


def test_a_broker_that_is_still_down_is_left_alone_again(broker: Broker) -> None:
    broker.trouble = OperationalError("down")

    for broker.now in (1000.0, 1001.0, 1005.0, 1009.9, 1010.0):
        wake([INSIDE])

    assert broker.tried == 3


def test_a_bug_is_not_taken_for_a_broker_that_is_down(broker: Broker) -> None:
    broker.trouble = ValueError("a bug of ours")

    with pytest.raises(ValueError, match="a bug of ours"):
        wake([INSIDE])


# --- One wake-up is enough ---


class Keys:
    """A Redis' keys, on good and bad days."""

    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.trouble: Exception | None = None

    def pipeline(self, transaction: bool) -> "Keys":
        assert not transaction
        self.asked: list[str] = []
        return self

    def set(self, key: str, value: int, nx: bool, px: timedelta) -> None:
        self.asked.append(key)

    def execute(self, raise_on_error: bool) -> list[object]:
        if isinstance(self.trouble, ResponseError) and not raise_on_error:
            return [self.trouble for _ in self.asked]
        if self.trouble:
            raise self.trouble
        answers = [key not in self.kept or None for key in self.asked]
        self.kept |= set(self.asked)
        return answers

    def delete(self, *keys: str) -> int:
        if self.trouble:
            raise self.trouble
        self.kept -= set(keys)
        return len(keys)


@pytest.fixture
def keys(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Keys:
    keys = Keys()
    monkeypatch.setattr(wakeups, "_keys", lambda: wakeups._OnRedis(keys))  # type: ignore[arg-type]
    return keys


def test_while_a_wake_up_is_on_its_way_nobody_rings_for_its_lane(broker: Broker, keys: Keys) -> None:
    for _ in range(3):
        wake([INSIDE, OUTSIDE])

    assert [args for _, args, _ in broker.wakeups_sent] == [list(INSIDE), list(OUTSIDE)]


def test_once_it_is_answered_whoever_commits_rings_anew(broker: Broker, keys: Keys) -> None:
    wake([INSIDE, OUTSIDE])
    clear_wakeups([INSIDE])
    wake([INSIDE, OUTSIDE])

    assert [args for _, args, _ in broker.wakeups_sent] == [list(INSIDE), list(OUTSIDE), list(INSIDE)]


def test_a_worker_answers_before_it_looks(broker: Broker, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    # Somebody commits while the worker looks: after its look, for all it knows.
    monkeypatch.setattr(deliver, "deliver_due", lambda delivery_queue: wake([delivery_queue]))
    wake([INSIDE])

    tasks.deliver(*INSIDE)

    assert len(broker.wakeups_sent) == 2


def test_a_wake_up_that_was_lost_does_not_silence_the_sweep(
    broker: Broker, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "due_delivery_queues", lambda: [INSIDE])
    wake([INSIDE, OUTSIDE])
    broker.wakeups_sent.clear()

    tasks.sweep()
    wake([INSIDE])

    assert [args for _, args, _ in broker.wakeups_sent] == [list(INSIDE)]


def test_a_redis_that_keeps_no_key_is_rung_each_time(broker: Broker, keys: Keys) -> None:
    keys.trouble = ResponseError("OOM command not allowed when used memory > 'maxmemory'")

    wake([INSIDE])
    clear_wakeups([INSIDE])
    wake([INSIDE])

    assert len(broker.wakeups_sent) == 2


@pytest.mark.parametrize("talk", [wake, clear_wakeups])
@pytest.mark.parametrize("trouble", [RedisConnectionError("gone"), RedisTimeoutError("silent")])
def test_a_redis_that_is_down_is_left_alone_for_a_while(
    broker: Broker, keys: Keys, talk: Callable[[list[DeliveryQueue]], None], trouble: Exception
) -> None:
    keys.trouble = trouble
    talk([INSIDE])
    keys.trouble = None

    wake([INSIDE])
    assert broker.tried == 0

    broker.now += 5.0
    wake([INSIDE])
    assert broker.tried == 1


# --- A worker goes on ---


class Reactions:
    """What handling a lane calls for; and in which order lanes were looked at."""

    def __init__(self, **causes: list[DeliveryQueue]) -> None:
        self.looked_at: list[DeliveryQueue] = []
        self._causes = causes

    def handle(self, delivery_queue: DeliveryQueue) -> None:
        self.looked_at.append(delivery_queue)
        wake_or_keep(self._causes.get(delivery_queue.context, []))


@pytest.fixture
def reactions(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Reactions]]:
    """Have lanes cause others: `reactions(inventory=[OUTSIDE])`, by their context."""

    def cause(**causes: list[DeliveryQueue]) -> Reactions:
        reactions = Reactions(**causes)
        monkeypatch.setattr(deliver, "deliver_due", reactions.handle)
        return reactions

    queues = {queue_of(context): {} for context in ("ordering", "inventory", "billing")}
    monkeypatch.setattr(wakeups.current_app.amqp.queues, "_consume_from", queues)
    return cause


def test_a_worker_goes_on_with_what_it_called_for_and_wakes_nobody(
    broker: Broker, reactions: Callable[..., Reactions]
) -> None:
    done = reactions(inventory=[OUTSIDE], billing=[DeliveryQueue("ordering", False)])

    tasks.deliver(*INSIDE)

    assert done.looked_at == [INSIDE, OUTSIDE, DeliveryQueue("ordering", False)]
    assert broker.wakeups_sent == []


def test_of_several_lanes_it_keeps_the_first_and_has_others_do_the_rest(
    broker: Broker, reactions: Callable[..., Reactions]
) -> None:
    done = reactions(inventory=[DeliveryQueue("ordering", False), OUTSIDE])

    tasks.deliver(*INSIDE)

    assert done.looked_at == [INSIDE, DeliveryQueue("ordering", False)]
    assert [args for _, args, _ in broker.wakeups_sent] == [list(OUTSIDE)]


def test_it_does_not_go_on_with_what_it_does_not_listen_for(
    broker: Broker, reactions: Callable[..., Reactions]
) -> None:
    done = reactions(inventory=[DeliveryQueue("fulfillment", False)])

    tasks.deliver(*INSIDE)

    assert done.looked_at == [INSIDE]
    assert [args for _, args, _ in broker.wakeups_sent] == [["fulfillment", False]]


def test_it_does_not_go_on_forever(
    broker: Broker, reactions: Callable[..., Reactions], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = reactions(inventory=[OUTSIDE], billing=[INSIDE])
    monkeypatch.setattr(deliver, "LONGEST_WAKE", 0.5)
    monkeypatch.setattr(deliver.clock, "stopwatch", lambda: 0.2 * len(done.looked_at))

    tasks.deliver(*INSIDE)

    assert done.looked_at == [INSIDE, OUTSIDE, INSIDE]
    assert [args for _, args, _ in broker.wakeups_sent] == [list(OUTSIDE)]


def test_what_it_kept_is_rung_for_when_it_fails_or_is_not_done_with_its_own(
    broker: Broker, reactions: Callable[..., Reactions], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never_done(delivery_queue: DeliveryQueue) -> None:
        wake_or_keep([OUTSIDE])
        wake_for_kept()
        wake_or_keep([DeliveryQueue("ordering", False)])
        raise RuntimeError("the database is gone")

    reactions()
    monkeypatch.setattr(deliver, "deliver_due", never_done)

    with pytest.raises(RuntimeError, match="the database is gone"):
        tasks.deliver(*INSIDE)

    assert [args for _, args, _ in broker.wakeups_sent] == [list(OUTSIDE), ["ordering", False]]


def test_who_does_not_go_on_rings_for_all_of_it(broker: Broker, reactions: Callable[..., Reactions]) -> None:
    reactions()

    wake_or_keep([OUTSIDE, INSIDE])
    wake_for_kept()

    assert [args for _, args, _ in broker.wakeups_sent] == [list(OUTSIDE), list(INSIDE)]


# --- Against sockets: what Celery and Redis make of it ---


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port nobody listens to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("port", ["deaf_port", "closed_port"])
@pytest.mark.parametrize("first_thing", [wake, clear_wakeups])
def test_a_redis_that_does_not_answer_holds_nobody_up(
    first_thing: Callable[[list[DeliveryQueue]], None],
    port: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    # Celery would prefer the broker of the environment.
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    url = f"redis://127.0.0.1:{request.getfixturevalue(port)}/0"
    monkeypatch.setattr(wakeups, "current_app", Celery("test", broker=url, set_as_current=False))
    monkeypatch.setattr(wakeups, "_keys", ASK_FOR_KEYS)
    settings.WAKEUP_TRANSPORT_OPTIONS = {
        "socket_timeout": 0.2, "socket_connect_timeout": 0.2, "max_retries": 1, "interval_start": 0,
    }  # fmt: skip

    began = time.monotonic()
    first_thing([INSIDE])
    first = time.monotonic() - began
    wake([INSIDE, OUTSIDE])
    clear_wakeups([INSIDE])
    second = time.monotonic() - began - first

    assert wakeups._quiet_until > began
    assert first < 2.0
    assert second < 0.1


@pytest.mark.skipif(settings.EMBEDDED, reason="embedded, the broker is the memory of the one process")
def test_one_wake_up_a_lane_waits_in_redis_until_it_is_answered_or_was_lost(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    app = Celery("test", broker=settings.CELERY_BROKER_URL, set_as_current=False)
    monkeypatch.setattr(wakeups, "current_app", app)
    monkeypatch.setattr(wakeups, "_keys", ASK_FOR_KEYS)
    settings.QUEUE_PREFIX = f"test-{uuid4()}"
    key, queue = f"{settings.QUEUE_PREFIX}.inventory.inside", f"{settings.QUEUE_PREFIX}.inventory"
    with Redis.from_url(settings.CELERY_BROKER_URL) as redis:
        try:
            for _ in range(3):
                wake([INSIDE])
            assert (redis.llen(queue), redis.exists(key)) == (1, 1)
            assert 0 < redis.pttl(key) <= WAKEUP_EXPIRES.total_seconds() * 1000

            clear_wakeups([INSIDE])
            assert redis.exists(key) == 0
            for _ in range(3):
                wake([INSIDE])
            assert redis.llen(queue) == 2

            redis.pexpire(key, 1)
            eventually(lambda: redis.exists(key), lambda exists: not exists, "the key to expire")
            wake([INSIDE])
            assert redis.llen(queue) == 3
        finally:
            redis.delete(key, queue)


def test_one_wake_up_a_lane_waits_in_the_memory_of_the_one_process(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery would prefer it
    app = Celery("test", broker="memory://localhost", set_as_current=False)
    monkeypatch.setattr(app, "send_task", broker.send_task)
    monkeypatch.setattr(wakeups, "current_app", app)
    monkeypatch.setattr(wakeups, "_keys", ASK_FOR_KEYS)
    monkeypatch.setattr(wakeups, "_memory", wakeups._InMemory())

    def rung_for(delivery_queue: DeliveryQueue) -> int:
        wake([delivery_queue])
        return sum(args == list(delivery_queue) for _, args, _ in broker.wakeups_sent)

    assert [rung_for(INSIDE), rung_for(INSIDE), rung_for(OUTSIDE)] == [1, 1, 1]
    clear_wakeups([INSIDE])
    assert [rung_for(INSIDE), rung_for(OUTSIDE)] == [2, 1]
    broker.now += WAKEUP_EXPIRES.total_seconds()
    assert [rung_for(INSIDE), rung_for(INSIDE), rung_for(OUTSIDE)] == [3, 3, 2]


def test_a_simulation_can_have_the_wake_ups_instead_of_the_broker(broker: Broker) -> None:
    heard: list[DeliveryQueue] = []
    with wakeups.wakeups_handled_by(heard.append):
        wake([INSIDE, OUTSIDE])
    wake([OUTSIDE])

    assert heard == [INSIDE, OUTSIDE]
    assert len(broker.wakeups_sent) == 1
