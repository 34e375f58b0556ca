"""Redis and RabbitMQ: both carry an order to its end, and survive refusals and messages that are not Waybill's."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import kombu
import pytest
import redis
from django.conf import settings
from malformed import send_malformed
from own_redis import Redis
from running_system import System, eventually, free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.broker,
    pytest.mark.skipif(settings.EMBEDDED, reason="in embedded mode the broker is in memory"),
]
MUG = {"MUG-ENAMEL-CREAM": 1}
HEALED_WITHIN = 15.0
CONTEXTS = ["integration", *settings.CONTEXTS]


@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def broker_url(request: pytest.FixtureRequest) -> str:
    return os.environ["CELERY_BROKER_URL" if request.param == "redis" else "RABBITMQ_URL"]


@pytest.fixture
def system_on(system_to_break: Callable[..., System], broker_url: str) -> Iterator[System]:
    """A system of the test's own on this broker, whose queues are deleted at the end."""
    system = system_to_break(CELERY_BROKER_URL=broker_url)
    yield system
    system.tear_down()
    if not broker_url.startswith("redis"):
        with channel_to(system) as channel:
            for name in queues_of(system):
                channel.queue_delete(name)
            channel.exchange_delete(f"{system.environment['QUEUE_PREFIX']}.integration")


def queues_of(system: System) -> list[str]:
    return [f"{system.environment['QUEUE_PREFIX']}.{name}" for name in CONTEXTS]


@contextmanager
def channel_to(system: System) -> Iterator[kombu.transport.virtual.Channel]:
    with kombu.Connection(system.environment["CELERY_BROKER_URL"]) as connection:
        yield connection.default_channel


def test_an_order_is_confirmed_by_wake_ups_alone(system_on: System) -> None:
    system_on.kill("beat")  # nothing is swept
    buyer = system_on.visitor.log_in("buyer", "buyer")

    for _ in range(3):
        buyer.order_once(buyer.place(MUG), "confirmed", within=HEALED_WITHIN)

    assert "broker unavailable" not in "".join(system_on.output.values())


def test_messages_that_are_not_ours_are_rejected_and_end_no_worker(system_on: System) -> None:
    worker = system_on.programs["worker"]
    with channel_to(system_on) as channel:
        sent = send_malformed(channel, queues_of(system_on))

    eventually(
        lambda: sum(worker.output.count(f"{verb} a malformed message") for verb in ("rejected", "dropped")),
        lambda logged: logged == sent,
        "each message logged once",
    )
    buyer = system_on.visitor.log_in("buyer", "buyer")
    buyer.order_once(buyer.place(MUG), "confirmed", within=HEALED_WITHIN)
    assert worker.exit_code is None
    system_on.kill("worker")
    system_on.start("worker")
    buyer.order_once(buyer.place(MUG), "confirmed")
    assert "malformed" not in system_on.programs["worker"].output, "they were delivered again"


@pytest.mark.parametrize("started", ["before", "in the middle"])
@pytest.mark.redis
def test_worker_and_beat_survive_a_redis_that_refuses(
    system_to_break: Callable[..., System], own_redis: Redis, started: str
) -> None:
    system = system_to_break(CELERY_BROKER_URL=own_redis.url)
    buyer = system.visitor.log_in("buyer", "buyer")
    with redis.Redis.from_url(own_redis.url) as client:
        client.replicaof("127.0.0.1", free_port())
        if started == "in the middle":
            for name in ("worker", "beat"):
                system.kill(name)
                system.start(name)
        number = buyer.place(MUG)
        eventually(lambda: system.output["worker"].count("Cannot connect"), lambda times: times > 1, "refusals")
        client.replicaof("NO", "ONE")

    began = time.monotonic()
    buyer.order_once(number, "confirmed", within=HEALED_WITHIN)
    buyer.order_once(buyer.place(MUG), "confirmed", within=HEALED_WITHIN)
    assert time.monotonic() - began < HEALED_WITHIN
    assert {name: program.exit_code for name, program in system.programs.items()} == dict.fromkeys(system.programs)
