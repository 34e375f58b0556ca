"""What an order costs each process, measured; and what one of each therefore carries, reckoned from that.

The CPU times are those the kernel keeps of every process; the bytes are PostgreSQL's own count.
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
from tests.bench.orders_through import SMALL
from tests.bench.stage import Measured, NotAllDone, Stage

DISK = {
    "wal": "pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')",
    "commits": "pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
    "table": "(SELECT sum(pg_table_size(relid)) FROM pg_stat_user_tables)",
    "index": "(SELECT sum(pg_indexes_size(relid)) FROM pg_stat_user_tables)",
}
"""What is asked of PostgreSQL before and after; by the numbers it gives to transactions that write, it counts those."""
HANDS = 32
"""So many commit at once when the disk is timed, as many at most share one flush."""


# --- Measured ---


def measure(stage: Stage) -> dict[str, Any]:
    """What an order costs, placed over REST and placed by command; and how often the disk can be waited for."""
    orders, requests, skus = stage.scale.orders, stage.scale.requests, stage.scale.skus
    with ExitStack() as ends:
        system = ends.enter_context(stage.system())
        client = ends.enter_context(stage.crew("tests.bench.post", 1, dict(os.environ)))
        placers = ends.enter_context(stage.crew("tests.bench.ours.place", stage.scale.hands, system.environment))
        token, each = system.token(), orders // stage.scale.hands
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
            "command": (each * stage.scale.hands, lambda: placers.do(orders=each, lines=SMALL, skus=skus)),
        }
        for _, place in ways.values():  # none is measured cold
            place()
            system.come_to_rest()
        seen: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(stage.scale.rounds):
            for way, (n, place) in ways.items():
                seen[way].append(_cost(system, leaders, n, place))
        with system.frozen():
            flushes = {str(hands): flushes_a_second(stage, hands, stage.scale.orders) for hands in (1, HANDS)}
    an_order = {way: {name: median(one[name] for one in rounds) for name in rounds[0]} for way, rounds in seen.items()}
    n = f"{requests:,} orders over REST and {orders:,} by command in each of {stage.scale.rounds} rounds"
    return {"an_order": an_order, "flushes": flushes, "n": n}


def _cost(system: Measured, leaders: Mapping[str, list[int]], n: int, place: Callable[[], Any]) -> dict[str, float]:
    """What each of so many orders costs: milliseconds by process, and what is on the disk afterwards."""

    def look() -> dict[str, float]:
        spent = {name: 1000 * sum(map(cpu_of_all, pids)) for name, pids in leaders.items()}
        return {**spent, **{name: float(system.ask(f"SELECT {sql}")) for name, sql in DISK.items()}}

    arranged, before = system.count("fulfillment_shipment"), look()
    place()
    system.come_to_rest()
    after = look()
    if system.count("fulfillment_shipment") - arranged != n:
        raise NotAllDone(f"not all of {n} orders have a shipment")
    return {name: (after[name] - before[name]) / n for name in before}


def flushes_a_second(stage: Stage, hands: int, commits: int) -> float:
    """Commits a second, each with one small row, by so many connections at once."""
    url = stage.postgresql.url("plain")

    def commit(connection: "psycopg.Connection[Any]") -> None:
        for _ in range(commits // hands):
            connection.execute("INSERT INTO bench_flush VALUES (1)")

    with ExitStack() as ends, ThreadPoolExecutor(hands) as pool:
        connections = [ends.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(hands)]
        connections[0].execute("CREATE TABLE IF NOT EXISTS bench_flush (n integer)")
        began = time.perf_counter()
        list(pool.map(commit, connections))
        return commits // hands * hands / (time.perf_counter() - began)


# --- Reckoned ---

BUSY = 0.7
"""Of a core, what is planned with: beyond that, who comes waits."""
CORES_OF_POSTGRESQL = 32
"""Of the largest database machine that is bought without much ado."""
CONNECTIONS = 300
"""So many PostgreSQL serves well without a pooler before it."""
THREADS = 8
"""Of a web process, each with a connection of its own: WEB_THREADS."""
MEMORY = 64 * 2**30
"""Bytes of memory for PostgreSQL, all told."""
DAY = 86_400
RATES = (1, 10, 50, 100, 500, 1_000)
"""Orders a second that are reckoned with."""
PROCESSES = ("web", "placers", "worker", "beat", "PostgreSQL", "Redis")


def limits(report: Mapping[str, Any]) -> dict[str, float]:
    """Orders a second that one of each carries, by its name."""
    cost = report["an_order"]["REST"]
    carried = {f"one core of {name}": BUSY * 1000 / cost[name] for name in ("web", "worker", "PostgreSQL")}
    of_postgresql = carried["one core of PostgreSQL"] * CORES_OF_POSTGRESQL
    return {
        **carried,
        f"one PostgreSQL, by its {CORES_OF_POSTGRESQL} cores": of_postgresql,
        "one PostgreSQL, by what its disk confirms": BUSY * report["flushes"][str(HANDS)] / cost["commits"],
        "one Redis, which has one core": BUSY * 1000 / cost["Redis"],
    }


def connections(report: Mapping[str, Any], rate: float) -> float:
    """Connections at so many orders a second: one a worker process, which keeps a core busy, and one a web thread."""
    cost = report["an_order"]["REST"]
    return rate * (cost["web"] * THREADS + cost["worker"]) / 1000 / BUSY


def publish_all(report: Mapping[str, Any]) -> Iterator[str]:
    """The section of the page, line by line."""
    yield "## What it takes to carry more\n"
    yield "What an order of three lines costs, from placing to its shipment, was measured as the median of the rounds."
    yield "Everything below that is reckoned from it.\n"
    yield from _costs(report["an_order"])
    yield "### What one of each carries\n"
    yield "| | orders/s |\n|---|--:|"
    yield from (f"| {name} | {_number(rate)} |" for name, rate in limits(report).items())
    yield "\n### What it takes\n"
    yield from _ladder(report)
    yield "\n### What gives out first, and what to add\n"
    yield from (f"{n}. {sentence}" for n, sentence in enumerate(_sentences(report), 1))
    yield "\n### What was assumed\n"
    yield from (f"* {sentence}" for sentence in _assumptions(report))


def _costs(an_order: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    rest, command = an_order["REST"], an_order["command"]
    yield "| an order | placed over REST | placed by command |\n|---|--:|--:|"
    for name in PROCESSES:
        yield f"| {name}, ms of CPU | {rest[name]:.2f} | {command[name]:.2f} |"
    whole = [sum(way[name] for name in PROCESSES) for way in (rest, command)]
    yield f"| all of them, ms of CPU | {whole[0]:.2f} | {whole[1]:.2f} |"
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
        + f". So the first core to add is for {by_cost[0]}, the next for {by_cost[1]}."
    )
    yield (
        f"**The web and the workers grow by machines**, for they keep nothing. To each core of the web belong "
        f"{cost['worker'] / cost['web']:.1f} cores of workers and {cost['PostgreSQL'] / cost['web']:.1f} of PostgreSQL."
    )
    alone = {name: rate for name, rate in carried.items() if name.startswith("one PostgreSQL") or "Redis" in name}
    first, second = sorted(alone, key=alone.__getitem__)[:2]
    yield (
        f"**What there is one of gives out in this order**: {first}, at {_number(alone[first])} orders/s; "
        f"then {second}, at {_number(alone[second])}. " + REMEDIES[first.partition(",")[0]]
    )
    yield (
        f"**PgBouncer**, in transaction mode, is due at {_number(CONNECTIONS / connections(report, 1))} orders/s: "
        f"there the web's threads and the workers hold {CONNECTIONS} connections."
    )
    full = MEMORY / cost["index"]
    yield (
        "**Partitioning** has nothing to give as long as the indexes that grow fit into memory. "
        f"{MEMORY // 2**30} GiB hold those of {full / 1e6:,.1f} million orders: at 10 orders/s that is "
        f"{_days(full / 10)}, at 100 {_days(full / 100)}. What is in use is less, for keys begin with their moment. "
        "What grows for good are the histories and the archive; see [operations](operations.md#very-many-orders)."
    )
    yield (
        "**A read replica** takes lists, reports, `verify` and `rebuild --check` away from the first database. "
        "It takes none of the above: all of that writes. Reading is not in these figures."
    )


REMEDIES = {
    "one PostgreSQL": "Before that, give it a faster disk (what is waited for is the log alone) and more cores; larger "
    "batches help by themselves, for the more waits, the fewer commits an order takes. Beyond that, the contexts can "
    "each have a database of their own: no foreign key crosses them.",
    "one Redis": "Each context's queue can then have a Redis of its own; or ring less often, for the sweep finds what "
    "nobody rang for.",
}


def _assumptions(report: Mapping[str, Any]) -> Iterator[str]:
    alone, together = report["flushes"]["1"], report["flushes"][str(HANDS)]
    yield f"No core is planned with beyond {BUSY:.0%}: who comes to a busy one waits."
    yield "A core elsewhere does as much as one of the measured machine, and twice the cores do twice as much."
    yield (
        f"The disk confirms {_number(alone)} commits/s to one connection and {_number(together)} to {HANDS} at once, "
        "which share flushes. Every writing transaction is counted as one that waits for it."
    )
    yield (
        f"One PostgreSQL has {CORES_OF_POSTGRESQL} cores and {MEMORY // 2**30} GiB, and serves {CONNECTIONS} "
        f"connections well. A web process has {THREADS} threads, each with a connection; a worker process has one."
    )
    yield (
        "Orders come evenly, three lines each, and are paid at once by a provider that answers at once. One that takes "
        "200 ms takes no CPU, but keeps a worker process of billing waiting for as long: give that queue more "
        "processes."
    )
    yield (
        "Growth is what the files grew by, before any archiving and before a vacuum made room again. The log includes "
        "whole pages after a checkpoint."
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}"


def _days(seconds: float) -> str:
    days = seconds / DAY
    if days < 20:
        return f"{days:.1f} days"
    return f"{days:,.0f} days" if days < 730 else f"{days / 365:,.0f} years"
