"""Measures what an order costs each process, and calculates from this how many orders one of each process can carry.

CPU times come from the kernel's accounting of each process. Byte counts come from PostgreSQL.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from math import ceil
from statistics import median
from typing import Any

import psycopg

from tests.bench.clocks import cpu_of_all
from tests.bench.order_flow import SMALL
from tests.bench.stage import MeasuredSystem, NotAllDelivered, Stage

DISK = {
    "wal": "pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')",
    "commits": "pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
    "table": "(SELECT sum(pg_table_size(relid)) FROM pg_stat_user_tables)",
    "index": "(SELECT sum(pg_indexes_size(relid)) FROM pg_stat_user_tables)",
}
"""SQL read before and after a run. Only writing transactions get a transaction ID, so IDs count their commits."""
CONCURRENT_COMMITS = 32
"""Connections that commit at the same time while the disk is timed. At most this many commits share one flush."""


# --- Measured ---


def measure(stage: Stage) -> dict[str, Any]:
    """Measure the cost of an order, placed over REST and by command, and the commits per second the disk confirms."""
    orders, requests, skus = stage.scale.orders, stage.scale.requests, stage.scale.skus
    with ExitStack() as ends:
        system = ends.enter_context(stage.system())
        client = ends.enter_context(stage.start_processes("tests.bench.post", 1, dict(os.environ)))
        placers = ends.enter_context(
            stage.start_processes("tests.bench.ours.place", stage.scale.placers, system.environment)
        )
        token, each = system.token(), orders // stage.scale.placers
        leaders = {
            **{name: [program.pid] for name, program in system.system.programs.items()},
            "PostgreSQL": [stage.postgresql.program.pid],
            "Redis": [stage.redis.program.pid],
            "placers": placers.pids,
        }
        ways: dict[str, tuple[int, Callable[[], Any]]] = {
            "REST": (
                requests,
                lambda: client.do(requests=requests, port=system.system.port, skus=skus, token=token),
            ),
            "command": (each * stage.scale.placers, lambda: placers.do(orders=each, lines=SMALL, skus=skus)),
        }
        for _, place in ways.values():  # a warm-up that is not measured
            place()
            system.wait_until_idle()
        seen: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(stage.scale.rounds):
            for way, (n, place) in ways.items():
                seen[way].append(_cost(system, leaders, n, place))
        with system.paused():
            flushes = {
                str(clients): flushes_a_second(stage, clients, stage.scale.orders)
                for clients in (1, CONCURRENT_COMMITS)
            }
    an_order = {way: {name: median(one[name] for one in rounds) for name in rounds[0]} for way, rounds in seen.items()}
    n = f"{requests:,} orders over REST and {orders:,} by command in each of {stage.scale.rounds} rounds"
    return {"an_order": an_order, "flushes": flushes, "n": n}


def _cost(
    system: MeasuredSystem, leaders: Mapping[str, list[int]], n: int, place: Callable[[], Any]
) -> dict[str, float]:
    """Place `n` orders; returns the cost of one: CPU milliseconds by process, commits, and bytes by kind of file."""

    def look() -> dict[str, float]:
        spent = {name: 1000 * sum(map(cpu_of_all, pids)) for name, pids in leaders.items()}
        return {**spent, **{name: float(system.ask(f"SELECT {sql}")) for name, sql in DISK.items()}}

    arranged, before = system.count("fulfillment_shipment"), look()
    place()
    system.wait_until_idle()
    after = look()
    if system.count("fulfillment_shipment") - arranged != n:
        raise NotAllDelivered(f"not all of {n} orders have a shipment")
    return {name: (after[name] - before[name]) / n for name in before}


def flushes_a_second(stage: Stage, clients: int, commits: int) -> float:
    """Measure commits per second by this many connections at once; each commit inserts one small row."""
    url = stage.postgresql.url("plain")

    def commit(connection: "psycopg.Connection[Any]") -> None:
        for _ in range(commits // clients):
            connection.execute("INSERT INTO bench_flush VALUES (1)")

    with ExitStack() as ends, ThreadPoolExecutor(clients) as pool:
        connections = [ends.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(clients)]
        connections[0].execute("CREATE TABLE IF NOT EXISTS bench_flush (n integer)")
        began = time.perf_counter()
        list(pool.map(commit, connections))
        return commits // clients * clients / (time.perf_counter() - began)


# --- Calculated ---

BUSY = 0.7
"""The share of a core that is planned for. Above it, requests queue."""
CORES_OF_POSTGRESQL = 32
"""Cores of the largest common database server."""
CONNECTIONS = 300
"""Connections that PostgreSQL serves well without a pooler."""
THREADS = 8
"""Threads of a web process (WEB_THREADS). Each holds one connection."""
MEMORY = 64 * 2**30
"""Total memory of the PostgreSQL server, in bytes."""
DAY = 86_400
RATES = (1, 10, 50, 100, 500, 1_000)
"""Orders per second, one row of the table each."""
PROCESSES = ("web", "placers", "worker", "beat", "PostgreSQL", "Redis")


def limits(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the orders per second that one of each resource carries, by the resource's name."""
    cost = report["an_order"]["REST"]
    carried = {f"one core of {name}": BUSY * 1000 / cost[name] for name in ("web", "worker", "PostgreSQL")}
    of_postgresql = carried["one core of PostgreSQL"] * CORES_OF_POSTGRESQL
    return {
        **carried,
        f"one PostgreSQL, by its {CORES_OF_POSTGRESQL} cores": of_postgresql,
        "one PostgreSQL, by what its disk confirms": BUSY
        * report["flushes"][str(CONCURRENT_COMMITS)]
        / cost["commits"],
        "one Redis, which has one core": BUSY * 1000 / cost["Redis"],
    }


def connections(report: Mapping[str, Any], rate: float) -> float:
    """Return the connections needed at this many orders per second: one per worker process and one per web thread.

    A worker process keeps one core busy.
    """
    cost = report["an_order"]["REST"]
    return rate * (cost["web"] * THREADS + cost["worker"]) / 1000 / BUSY


def render(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the section of the page, line by line."""
    yield "## Capacity planning\n"
    yield "The first table shows the measured cost of an order of three lines, from placing to its shipment (the median"
    yield "of the rounds). Everything below it is calculated from these figures.\n"
    yield from _costs(report["an_order"])
    yield "### Capacity of one of each\n"
    yield "| | orders/s |\n|---|--:|"
    yield from (f"| {name} | {_number(rate)} |" for name, rate in limits(report).items())
    yield "\n### Resources by orders per second\n"
    yield from _ladder(report)
    yield "\n### Which limit comes first, and what to add\n"
    yield from (f"{n}. {sentence}" for n, sentence in enumerate(_sentences(report), 1))
    yield "\n### Assumptions\n"
    yield from (f"* {sentence}" for sentence in _assumptions(report))


def _costs(an_order: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    rest, command = an_order["REST"], an_order["command"]
    yield "| an order | placed over REST | placed by command |\n|---|--:|--:|"
    for name in PROCESSES:
        yield f"| {name}, ms of CPU | {rest[name]:.2f} | {command[name]:.2f} |"
    whole = [sum(way[name] for name in PROCESSES) for way in (rest, command)]
    yield f"| total, ms of CPU | {whole[0]:.2f} | {whole[1]:.2f} |"
    yield f"| transactions that write | {rest['commits']:.1f} | {command['commits']:.1f} |"
    for name, what in (("wal", "log written (WAL)"), ("table", "tables grow by"), ("index", "indexes grow by")):
        yield f"| {what}, KiB | {rest[name] / 1024:.1f} | {command[name] / 1024:.1f} |"
    yield ""


def _ladder(report: Mapping[str, Any]) -> Iterator[str]:
    cost = report["an_order"]["REST"]
    heads = ["web cores", "worker cores", "PostgreSQL cores", "Redis", "commits/s", "log", "a day's growth"]
    yield "| orders/s | " + " | ".join([*heads, "connections"]) + " |"
    yield "|--:" * (len(heads) + 2) + "|"
    for rate in RATES:
        cores = [f"{rate * cost[name] / 1000 / BUSY:.1f}" for name in ("web", "worker", "PostgreSQL")]
        log = f"{rate * cost['wal'] / 2**20:.1f} MiB/s"
        growth = f"{rate * DAY * (cost['table'] + cost['index']) / 2**30:,.1f} GiB"
        redis = f"{rate * cost['Redis'] / 1000:.1%}"
        flushes = f"{rate * cost['commits']:,.0f}"
        cells = [f"{rate:,}", *cores, redis, flushes, log, growth, f"{ceil(connections(report, rate)):,}"]
        yield "| " + " | ".join(cells) + " |"


def _sentences(report: Mapping[str, Any]) -> Iterator[str]:
    cost, carried = report["an_order"]["REST"], limits(report)
    by_cost = sorted(("web", "worker", "PostgreSQL"), key=lambda name: -cost[name])
    whole = sum(cost[name] for name in PROCESSES)
    yield (
        f"**All on one machine**, one core carries {_number(BUSY * 1000 / whole)} orders/s. "
        f"Of an order's {whole:.1f} ms "
        + ", ".join(f"{name} takes {cost[name] / whole:.0%}" for name in by_cost)
        + f". So add the first core for {by_cost[0]}, and the next for {by_cost[1]}."
    )
    yield (
        f"**Web and workers scale by adding machines**, because they are stateless. Each core of the web needs "
        f"{cost['worker'] / cost['web']:.1f} cores of workers and {cost['PostgreSQL'] / cost['web']:.1f} of PostgreSQL."
    )
    alone = {name: rate for name, rate in carried.items() if name.startswith("one PostgreSQL") or "Redis" in name}
    first, second = sorted(alone, key=alone.__getitem__)[:2]
    yield (
        f"**The single servers reach their limits in this order**: {first}, at {_number(alone[first])} orders/s; "
        f"then {second}, at {_number(alone[second])}. " + REMEDIES[first.partition(",")[0]]
    )
    yield (
        f"**PgBouncer**, in transaction mode, is needed from {_number(CONNECTIONS / connections(report, 1))} orders/s. "
        f"At that rate the web's threads and the workers hold {CONNECTIONS} connections."
    )
    full = MEMORY / cost["index"]
    yield (
        "**Partitioning** gains nothing while the growing indexes fit into memory. "
        f"{MEMORY // 2**30} GiB hold the indexes of {full / 1e6:,.1f} million orders: at 10 orders/s that is "
        f"{_days(full / 10)}, at 100 {_days(full / 100)}. The part in use is smaller, because keys begin with a "
        "timestamp. Only the histories and the archive grow for ever; see [operations](operations.md#very-many-orders)."
    )
    yield (
        "**A read replica** takes lists, reports, `verify` and `rebuild --check` off the primary database. "
        "It takes none of the work above, because all of that writes. These figures contain no reads."
    )


REMEDIES = {
    "one PostgreSQL": "Before that, give it more cores and a faster disk (commits only wait for the write-ahead log). "
    "Batches grow by themselves under load, so an order then takes fewer commits. Beyond that, each context can have "
    "a database of its own, because no foreign key crosses contexts.",
    "one Redis": "Each context's queue can then have a Redis of its own. Or send fewer wake-ups: the sweep finds the "
    "deliveries that no wake-up announced.",
}


def _assumptions(report: Mapping[str, Any]) -> Iterator[str]:
    alone, together = report["flushes"]["1"], report["flushes"][str(CONCURRENT_COMMITS)]
    yield f"No core is planned to be busier than {BUSY:.0%}. Above that, requests queue."
    yield "A core of another machine is as fast as one of the measured machine. Twice the cores do twice the work."
    yield (
        f"The disk confirms {_number(alone)} commits/s to one connection and {_number(together)} to "
        f"{CONCURRENT_COMMITS} at once, which share flushes. Every writing transaction counts as one that waits for a "
        "flush."
    )
    yield (
        f"One PostgreSQL has {CORES_OF_POSTGRESQL} cores and {MEMORY // 2**30} GiB, and serves {CONNECTIONS} "
        f"connections well. A web process has {THREADS} threads, each with a connection; a worker process has one."
    )
    yield (
        "Orders arrive evenly, have three lines each, and are paid at once by a provider that responds at once. A "
        "provider that takes 200 ms costs no CPU, but blocks a worker process of billing meanwhile: give that queue "
        "more processes."
    )
    yield (
        "Growth is measured in bytes of files, before any archiving and before a vacuum frees space. The log includes "
        "the full pages that PostgreSQL writes after a checkpoint."
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}"


def _days(seconds: float) -> str:
    days = seconds / DAY
    if days < 20:
        return f"{days:.1f} days"
    return f"{days:,.0f} days" if days < 730 else f"{days / 365:,.0f} years"
