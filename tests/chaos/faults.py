"""Faults that are injected into a running system while orders flow, and what must hold after each of them.

A fault is a function that takes the system, disturbs it, and returns an `Outcome`. To add one, write a function under
`@fault`; its docstring is printed on the page of proofs.
"""

import os
import random
import shutil
import signal
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from typing import Any

import msgspec
from django.db import connections

from integration.messaging.dead_letters import skip_one
from integration.messaging.models import Delivery
from integration.read_models.rebuild import differences
from integration.read_models.registry import read_models
from ordering.models import Order
from tests.chaos.live import CELERY, Live, ends, unfinished, violations
from tests.chaos.outcome import Outcome
from tests.chaos.sabotage.apps import CONSUMER, POISON, POISON_THAT_KILLS
from tests.chaos.traffic import VISA, Traffic


class Scale(msgspec.Struct, frozen=True):
    """How much is done: `SHORT` in a test run, `WHOLE` in `make chaos`.

    Args:
        orders: how many orders the largest fault places; others place a fraction of it.
        often: how many times a server is lost.
    """

    orders: int
    often: int


SHORT, WHOLE = Scale(orders=60, often=2), Scale(orders=2_000, often=20)


Fault = Callable[[Live, Scale], Outcome]
FAULTS: dict[Fault, str] = {}
"""Each fault on PostgreSQL and Redis, and what must hold."""
EMBEDDED_FAULTS: dict[Fault, str] = {}
"""Each fault on the embedded mode, and what must hold."""


def fault(must_hold: str, table: dict[Fault, str] = FAULTS) -> Callable[[Fault], Fault]:
    """Add the decorated function to a table of faults.

    Args:
        must_hold: what must hold after it, for the page of proofs.
    """

    def add(function: Fault) -> Fault:
        table[function] = must_hold
        return function

    return add


def check_the_end(live: Live, traffic: Traffic, outcome: Outcome, before: int) -> None:
    """Check what must hold after every fault, and add the numbers of orders to the outcome.

    Every acknowledged order exists once and has come to its end, no response was a 500, every invariant holds, and the
    provider's books agree with ours.

    Args:
        before: the number of orders before the traffic.
    """
    placed = traffic.placed
    outcome.wrong += live.come_to_rest()
    outcome.wrong += violations()
    numbers = [order.number for order in placed]
    there = Order.objects.count() - before
    outcome.require(len(set(numbers)) == len(placed), "two requests got the same order")
    outcome.require(there == len(placed), f"{len(placed)} orders were acknowledged, {there} are there")
    outcome.require(not traffic.responses[500], f"{traffic.responses[500]} responses were a 500")
    outcome.n |= {
        "orders": len(placed),
        "orders lost": len(placed) - sum(ends(numbers).values()),
        "requests repeated": sum(order.requests - 1 for order in placed),
        "ends": ends(numbers),
    }


def kill_a_process(live: Live, kind: str) -> dict[int, int]:
    """SIGKILL a process of the system, and restart it; returns the deliveries that were in flight.

    A worker's parent process replaces a child that was killed.
    """
    if kind == "worker child":
        parents = [live.system.programs[name] for name in live.workers if name in live.system.programs]
        children = [pid for parent in parents for pid in parent.children]
        with suppress(ProcessLookupError, IndexError):  # the child has just ended, or there is none
            os.kill(random.choice(children), signal.SIGKILL)
        return live.in_flight()
    name = random.choice(live.workers) if kind == "worker" else kind
    live.system.kill(name)
    held = live.in_flight()
    live.system.start(name)
    return held


@fault("no invariant is broken; what was in flight is done again within 10 s")
def kill_web_worker_child_and_beat(live: Live, scale: Scale) -> Outcome:
    """SIGKILL web, worker, worker child and beat, in turn, until all orders are placed."""
    outcome, killed, seconds, before = Outcome(), Counter[str](), [0.0], Order.objects.count()
    in_flight = 0
    with Traffic(live.system, scale.orders // 2, f"kill-{before}") as traffic:
        kinds = cycle(("web", "worker", "worker child", "beat"))
        acknowledged = -1
        while traffic.flowing:
            kind = next(kinds)
            if kind == "web":  # on a busy machine it would be killed again before it could serve anyone
                if acknowledged == traffic.acknowledged:
                    continue
                acknowledged = traffic.acknowledged
            held = kill_a_process(live, kind)
            killed[kind] += 1
            if kind.startswith("worker"):
                in_flight += len(held)
                seconds.append(live.seconds_until_done_again(held))
            time.sleep(random.uniform(0.2, 1.0))
            live.supervise()
    check_the_end(live, traffic, outcome, before)
    outcome.require(max(seconds) <= 10, f"work in flight was done again after {max(seconds):.1f} s")
    outcome.n |= {
        "killed": dict(killed),
        "deliveries in flight": in_flight,
        "done again within s": round(max(seconds), 1),
    }
    return outcome


@fault("every order is in a final state or waits for a named reason, and verify is clean")
def storm(live: Live, scale: Scale) -> Outcome:
    """SIGKILL of web and workers at random, FLUSHALL twice, and Redis gone for 20 s, while orders flow."""
    outcome, killed, before = Outcome(), Counter[str](), Order.objects.count()
    gone = 20 if scale is WHOLE else 3
    flushed, served = 0, -1
    with Traffic(live.system, scale.orders, f"storm-{before}") as traffic:
        milestones = iter([0.25, 0.5, 0.75])
        milestone = next(milestones)
        while traffic.flowing or milestone <= 1:
            kind = random.choice(["web", "worker", "worker child", "beat"])
            if kind != "web" or traffic.acknowledged > served:  # as above: a new web process must serve somebody first
                served = traffic.acknowledged if kind == "web" else served
                kill_a_process(live, kind)
                killed[kind] += 1
            if traffic.acknowledged >= milestone * scale.orders:
                if milestone == 0.5:
                    live.redis.kill()
                    time.sleep(gone)
                    live.redis.start()
                else:
                    with live.redis.client() as client:
                        flushed += bool(client.flushall())
                milestone = next(milestones, 2.0)
            time.sleep(random.uniform(0.5, 2.0))
            live.supervise()
    check_the_end(live, traffic, outcome, before)
    outcome.require(flushed == 2, f"Redis was flushed {flushed} times")
    outcome.n |= {"killed": dict(killed), "FLUSHALL": flushed, "seconds without Redis": gone}
    return outcome


@fault("every accepted order finishes; nothing is lost")
def lose_redis(live: Live, scale: Scale) -> Outcome:
    """SIGKILL and restart of Redis without persistence, and FLUSHALL, in turn."""
    outcome, before = Outcome(), Order.objects.count()
    lost = 0
    with Traffic(live.system, scale.orders // 4, f"redis-{before}") as traffic:
        while traffic.flowing or lost < scale.often:
            if lost % 2:
                with live.redis.client() as client:
                    client.flushall()
            else:
                live.redis.kill()
                time.sleep(0.5)
                live.redis.start()
            lost += 1
            time.sleep(1)
            live.supervise()
    check_the_end(live, traffic, outcome, before)
    outcome.n["Redis lost all it had"] = lost
    return outcome


@fault("placing an order succeeds, at most 1.1 s slower")
def freeze_redis(live: Live, scale: Scale) -> Outcome:
    """Redis accepts connections but never responds (SIGSTOP)."""
    outcome, before = Outcome(), Order.objects.count()
    n = max(scale.orders // 20, 10)
    # One buyer places one order after another, so that the time is the wait for the broker, not for other buyers.
    with Traffic(live.system, n, f"awake-{before}", buyers=1, carriers=False) as usual:
        pass
    outcome.wrong += live.come_to_rest()
    live.redis.freeze()
    with Traffic(live.system, n, f"frozen-{before}", buyers=1, carriers=False) as frozen:
        pass
    live.redis.thaw()
    check_the_end(live, frozen, outcome, before + n)
    ordinary, slow = ([order.seconds for order in traffic.placed] for traffic in (usual, frozen))
    delay = max(slow) - max(ordinary)
    outcome.require(delay <= 1.1, f"an order took {delay:.2f} s longer")
    outcome.n |= {
        "orders before": n,
        "slowest before s": round(max(ordinary), 2),
        "slowest while frozen s": round(max(slow), 2),
        "median before s": round(statistics.median(ordinary), 3),
        "median while frozen s": round(statistics.median(slow), 3),
    }
    return outcome


@fault("all acknowledged orders are there; the system heals by itself")
def kill_postgresql(live: Live, scale: Scale) -> Outcome:
    """SIGKILL and restart of PostgreSQL, and termination of backends at random in between."""
    outcome, before = Outcome(), Order.objects.count()
    killed = terminated = 0
    a_backend = (
        "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity "
        "WHERE datname LIKE 'waybill%' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2) AS unlucky"
    )
    with Traffic(live.system, scale.orders // 4, f"postgres-{before}") as traffic:
        while traffic.flowing or killed < scale.often // 2:
            for _ in range(5):
                terminated += live.postgresql.ask(a_backend)[0][0]
                time.sleep(0.3)
            live.postgresql.kill()
            killed += 1
            time.sleep(0.5)
            live.postgresql.start()
            time.sleep(2)
            live.supervise()
    connections.close_all()
    check_the_end(live, traffic, outcome, before)
    outcome.n |= {"PostgreSQL killed": killed, "backends terminated": terminated}
    return outcome


@fault("the same final state, no double effect")
def crowd(live: Live, scale: Scale) -> Outcome:
    """Two beats, ten workers, and forged wake-ups for every delivery queue all the time."""
    outcome, before = Outcome(), Order.objects.count()
    workers = range(len(live.workers), 10 if scale is WHOLE else 4)
    more = {f"worker{i}": [*CELERY, "worker", "-c", "1", "-P", "solo", "-n", f"more{i}@%h"] for i in workers}
    forged = 0
    with live.joined_by({**more, "beat2": [*CELERY, "beat"]}):
        with Traffic(live.system, scale.orders // 4, f"crowd-{before}") as traffic:
            while traffic.flowing:
                live.forge_wake_ups()
                forged += 8
                time.sleep(0.05)
        check_the_end(live, traffic, outcome, before)
    handled = Delivery.objects.filter(status="done").count()
    outcome.n |= {"workers": workers.stop, "beats": 2, "wake-ups forged": forged, "deliveries done so far": handled}
    return outcome


@fault("no double charge; an unknown outcome is asked about, never charged again under a new key")
def bad_provider(live: Live, scale: Scale) -> Outcome:
    """10 % of charges lose the connection before the provider charges, 30 % after; call-backs come doubled and late."""
    from billing.gateways.sandbox.adapter import adapter
    from billing.gateways.sandbox.models import Transaction
    from billing.models import Payment

    outcome, before = Outcome(), Order.objects.count()
    known = set(Transaction.objects.values_list("key", flat=True))
    sent: Counter[int] = Counter()
    with live.sabotaged("provider"), Traffic(live.system, scale.orders // 4, f"provider-{before}") as traffic:
        while traffic.flowing or sent.total() < scale.orders // 4:
            keys = [key for key in Transaction.objects.values_list("key", flat=True) if key not in known]
            for key in random.sample(keys, min(len(keys), 20)) * 2:
                body, headers = adapter.call_back(key)
                path = "/api/v1/webhooks/payments/sandbox"
                with suppress(OSError):
                    sent[live.system.visitor.ask("POST", path, body, headers).status] += 1
            time.sleep(0.3)
    check_the_end(live, traffic, outcome, before)
    numbers = [order.number for order in traffic.placed]
    charged = Counter(
        Transaction.objects.filter(charge=None, decline_code="").exclude(key__in=known).values_list("key", flat=True)
    )
    outcome.require(len(charged) <= len(numbers), f"{len(charged)} charges for {len(numbers)} orders")
    asked = Delivery.objects.filter(consumer="billing.collect-payment", attempts__gt=1).count()
    outcome.n |= {
        "charges": len(charged),
        "payments": Payment.objects.filter(order__in=numbers).count(),
        "call-backs sent": sent.total(),
        "call-backs by status": dict(sent),
        "payments tried more than once": asked,
    }
    return outcome


@fault("a dead letter after the last attempt; neighbours are not held up")
def poison(live: Live, scale: Scale) -> Outcome:
    """A message whose handler always fails, and one that kills its worker at each attempt."""
    outcome, before = Outcome(), Order.objects.count()
    live.rebuild(DELIVERY_MAX_ATTEMPTS="3")
    methods = (VISA,) * 8 + (POISON,)
    deadly = 1 if scale is SHORT else 3
    with Traffic(live.system, scale.orders // 8, f"poison-{before}", methods=methods) as traffic:
        pass
    with Traffic(live.system, deadly, f"deadly-{before}", methods=(POISON_THAT_KILLS,), carriers=False) as killers:
        pass
    check_the_end(live, traffic, outcome, before + deadly)
    outcome.wrong = [what for what in outcome.wrong if CONSUMER not in what]
    dead = Delivery.objects.filter(consumer=CONSUMER, status="dead")
    poisonous = Order.objects.filter(pk__in=[o.number for o in traffic.placed], payment_method=POISON).count() + deadly
    errors = Counter(error.partition(":")[0] for error in dead.values_list("error", flat=True))
    outcome.require(errors.total() == poisonous, f"{poisonous} poisonous messages, {errors.total()} dead letters")
    outcome.require(errors["WorkerDied"] >= deadly, f"{deadly} deadly messages, {errors['WorkerDied']} died of them")
    outcome.require(not unfinished(), f"neighbours were held up: {unfinished()}")
    outcome.n |= {
        "poisonous messages": poisonous,
        "dead letters": dict(errors),
        "ends of deadly orders": ends([order.number for order in killers.placed]),
    }
    for delivery in dead:
        skip_one(delivery.pk, "a planted poison", "user:0")
    live.rebuild()
    return outcome


@fault("no acknowledgement without a commit, and nothing waits until the clock reaches a time it had before")
def clock_jumps(live: Live, scale: Scale) -> Outcome:
    """The clock of all processes jumps two hours ahead and back, again and again."""
    outcome, before = Outcome(), Order.objects.count()
    jumps = 0
    with (
        live.sabotaged("clock", "0") as wrong_by,
        Traffic(live.system, scale.orders // 8, f"clock-{before}") as traffic,
    ):
        while traffic.flowing or jumps < 2:
            wrong_by.write_text("0" if jumps % 2 else "7200")
            jumps += 1
            time.sleep(2)
    check_the_end(live, traffic, outcome, before)
    outcome.n["jumps of 2 h"] = jumps
    return outcome


# --- Embedded: one process over SQLite ---


@fault("all orders finish", EMBEDDED_FAULTS)
def kill_the_one_process(live: Live, scale: Scale) -> Outcome:
    """SIGKILL and restart of the one process, again and again."""
    outcome, before, killed = Outcome(), Order.objects.count(), 0
    with Traffic(live.system, scale.orders // 4, f"one-{before}") as traffic:
        while traffic.flowing:
            time.sleep(random.uniform(1.0, 3.0))
            live.restart("serve")
            killed += 1
            live.system.wait_until_ready()
    check_the_end(live, traffic, outcome, before)
    outcome.n["killed"] = killed
    return outcome


@fault("no acknowledgement without a commit", EMBEDDED_FAULTS)
def lock_storm(live: Live, scale: Scale) -> Outcome:
    """Another process locks the SQLite database for longer than the busy timeout."""
    outcome, before, storms = Outcome(), Order.objects.count(), 0
    url = live.system.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with Traffic(live.system, scale.orders // 8, f"lock-{before}") as traffic:
        while traffic.flowing or storms < 2:
            # 25 s is more than SQLite's busy timeout of 20 s.
            for seconds in (25.0, 0.5, 0.5, 0.5):
                # SQLite's lock is not fair: while the system writes all the time, another process gets it by chance.
                blocker = sqlite3.connect(url, timeout=600, isolation_level=None)
                blocker.execute("BEGIN IMMEDIATE")
                time.sleep(seconds)
                blocker.execute("ROLLBACK")
                blocker.close()
                time.sleep(0.2)
            storms += 1
    check_the_end(live, traffic, outcome, before)
    outcome.n |= {"storms": storms, "refused while locked": traffic.responses[503]}
    return outcome


A_SMALL_DISK = 2**30
"""In bytes. A larger disk is not filled, because it is the machine's own."""


@fault("no acknowledgement without a commit", EMBEDDED_FAULTS)
def full_disk(live: Live, scale: Scale) -> Outcome:
    """The disk is full for two seconds, again and again."""
    outcome, before, full = Outcome(), Order.objects.count(), 0
    ballast = live.folder / "ballast"
    if shutil.disk_usage(live.folder).total > A_SMALL_DISK:
        return Outcome(wrong=["not done: only root can mount a disk that is small enough to fill"])
    with Traffic(live.system, scale.orders // 8, f"disk-{before}") as traffic:
        while traffic.flowing or full < 2:
            with suppress(OSError), ballast.open("wb") as file:
                while True:
                    file.write(b"\0" * 65_536)
            time.sleep(2)
            ballast.unlink()
            full += 1
            time.sleep(1)
            live.supervise()
    check_the_end(live, traffic, outcome, before)
    outcome.n |= {"times full": full, "refused while full": traffic.responses[503]}
    return outcome


def do_all(live: Live, scale: Scale, table: dict[Fault, str], only: str) -> dict[str, Any]:
    """Inject one fault after another into the system; returns the report.

    Args:
        only: a part of the names of the faults to inject.
    """
    report: dict[str, Any] = {}
    for function, must_hold in table.items():
        if only not in function.__name__:
            continue
        began = time.monotonic()
        try:
            outcome = function(live, scale)
        except Exception as error:
            outcome = Outcome(wrong=[f"could not be finished: {error!r}"])
            live.rebuild()
        report[function.__name__] = {
            "what": (function.__doc__ or "").splitlines()[0],
            "must hold": must_hold,
            "n": outcome.n,
            "violations": outcome.wrong,
            "seconds": round(time.monotonic() - began),
        }
    report["read models"] = compare_read_models()
    return report


def compare_read_models() -> dict[str, Any]:
    """Compare each live read model with a rebuild of it; returns its part of the report."""
    began = time.monotonic()
    connections.close_all()
    found = {name: differences(model) for name, model in read_models.items()}
    return {
        "what": "Every read model, rebuilt from its history after all faults.",
        "must hold": "the rebuild equals the live read model",
        "n": {name: f"{model.rows.objects.count():,} rows" for name, model in read_models.items()},
        "violations": [f"{name}: {what}" for name, some in found.items() for what in some],
        "seconds": round(time.monotonic() - began),
    }
