"""Every accepted order comes to its end once, although processes or the broker are killed."""

import signal
import time
from collections.abc import Callable

import pytest
import redis
from django.conf import settings
from own_redis import Redis
from running_system import Client, System, eventually

pytestmark = pytest.mark.system
with_a_broker_to_lose = pytest.mark.skipif(settings.EMBEDDED, reason="embedded, the broker is in the one process")

MUG = "MUG-ENAMEL-CREAM"
ENDS = {"pm_card_visa": "confirmed", "pm_card_chargeDeclined": "cancelled"}
BUSY = 12
"""How many orders are placed: enough that with a slow provider some are pending when processes are killed."""
SLOW = {"SANDBOX_LATENCY_MS": "150"}


def place_many(buyer: Client) -> dict[str, str]:
    """Place paid and declined orders; returns the status in which each must end, by its number."""
    methods = [*ENDS] * (BUSY // len(ENDS))
    return {buyer.place({MUG: 2}, method): ENDS[method] for method in methods}


def assert_all_end_once(system: System, placed: dict[str, str]) -> None:
    """Assert that each order ends as it must, is charged at most once, and reserves its stock."""
    buyer, operator = (system.visitor.log_in(name, name) for name in ("buyer", "operator"))
    for number, end in placed.items():
        order = buyer.order_once(number, end)
        assert order["payment"]["paid"]["amount"] == ("32.90" if end == "confirmed" else "0.00")
        assert order["payment"]["status"] == ("paid" if end == "confirmed" else "failed")
    eventually(system.count_pending, lambda pending: pending == 0, "no delivery pending")
    good = [number for number, end in placed.items() if end == "confirmed"]
    assert operator.stock(MUG)["reserved"] == 2 * len(good)
    assert {operator.shipment_of(number)["status"] for number in good} == {"arranged"}
    charged = system.read(f"SELECT key FROM {books()} WHERE decline_code = '' AND charge_id IS NULL")  # noqa: S608
    keys = sorted(key for (key,) in charged)
    assert [key for key in keys if keys.count(key) > 1] == []
    asked = {key.rpartition("-")[0] for key in keys}  # a key ends with the order's story
    assert {f"P-{number.removeprefix('R-')}-1" for number in good} <= asked
    assert len(keys) == system.read("SELECT count(*) FROM ordering_order WHERE status = 'confirmed'")[0][0]


def books() -> str:
    """The name of the table with the provider's books."""
    from billing.gateways.sandbox.models import Transaction

    return Transaction._meta.db_table


def test_orders_end_although_the_worker_is_killed(
    system_to_break: Callable[..., System],
) -> None:
    system = system_to_break(**SLOW)
    placed = place_many(system.visitor.log_in("buyer", "buyer"))
    system.kill(system.worker)
    assert system.count_pending() > 0, "all deliveries were handled before the worker was killed"

    system.start(system.worker)
    system.wait_until_ready()
    assert_all_end_once(system, placed)


@with_a_broker_to_lose
def test_orders_end_although_all_processes_are_killed_at_once(system_to_break: Callable[..., System]) -> None:
    system = system_to_break(**SLOW)
    placed = place_many(system.visitor.log_in("buyer", "buyer"))
    for name in list(system.programs):
        system.kill(name)
    assert system.count_pending() > 0, "all deliveries were handled before the processes were killed"

    system.open()
    assert_all_end_once(system, placed)


@with_a_broker_to_lose
def test_the_sweep_finds_deliveries_whose_wake_ups_were_flushed(system_to_break: Callable[..., System]) -> None:
    system = system_to_break()
    system.kill("worker")
    prefix = system.environment["QUEUE_PREFIX"]
    with redis.Redis.from_url(system.environment["CELERY_BROKER_URL"]) as broker:
        # The key of a wake-up that was lost with the worker would suppress the next wake-up until it expires.
        broker.delete("none", *broker.scan_iter(f"*{prefix}*"))
        number = system.visitor.log_in("buyer", "buyer").place({MUG: 2})
        assert broker.llen(f"{prefix}.inventory") > 0, "no wake-up was sent"
        broker.delete(*broker.scan_iter(f"*{prefix}*"))

    system.start("worker")
    assert_all_end_once(system, {number: "confirmed"})


@with_a_broker_to_lose
def test_a_broker_that_does_not_respond_delays_no_buyer(
    system_to_break: Callable[..., System], own_redis: Redis
) -> None:
    system = system_to_break(CELERY_BROKER_URL=own_redis.url)
    buyer = system.visitor.log_in("buyer", "buyer")
    usual = dict(timed(buyer) for _ in range(3))

    own_redis.program.signal_group(signal.SIGSTOP)
    silent = dict(timed(buyer) for _ in range(3))
    own_redis.program.signal_group(signal.SIGCONT)
    # A client without a timeout was measured to hang for more than 40 s.
    assert max(silent.values()) < max(usual.values()) + 20
    assert_all_end_once(system, dict.fromkeys({**usual, **silent}, "confirmed"))


@with_a_broker_to_lose
def test_orders_end_although_the_broker_loses_everything(
    system_to_break: Callable[..., System], own_redis: Redis
) -> None:
    system = system_to_break(CELERY_BROKER_URL=own_redis.url)
    buyer = system.visitor.log_in("buyer", "buyer")

    own_redis.program.kill()
    number, _ = timed(buyer)
    own_redis.start()
    assert_all_end_once(system, {number: "confirmed"})


def timed(buyer: Client) -> tuple[str, float]:
    """Place an order; returns its number and the seconds until the response."""
    began = time.monotonic()
    return buyer.place({MUG: 2}), time.monotonic() - began
