"""Measures where the time of an order goes, in Waybill and in the bare chain.

Each side runs in a single process, so the figures contain no other work.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

import psycopg
from psycopg import sql

from tests.bench.capacity import flushes_a_second
from tests.bench.clocks import cpu_of_all
from tests.bench.in_memory import recorder, signals
from tests.bench.order_flow import LARGE, SMALL, embedded_chain, embedded_system, set_up_plain
from tests.bench.processes import ProcessGroup
from tests.bench.stage import Stage
from tests.system.running_system import ROOT

TO_CONFIRMATION = (
    "inventory.reserve-stock",
    "billing.request-payment",
    "billing.collect-payment",
    "ordering.confirm-paid-order",
)
"""The consecutive reactions between placing an order and its confirmation."""
RARE = 0.01
"""Packages with a smaller share of the samples than this are reported as one, *elsewhere*."""


def measure(stage: Stage) -> dict[str, Any]:
    """Measure the CPU time and the rows of an order, on PostgreSQL and embedded, and the CPU time of an event.

    The report has the CPU time by part of the flow, and by the package in which samples found the process.
    """
    set_up_plain(stage)
    stage.postgresql.ask("CREATE DATABASE profiled TEMPLATE prepared")
    with (
        stage.start_processes("tests.bench.ours.profiled_orders", 1, stage.environment("profiled")) as ours,
        stage.start_processes("tests.bench.baselines.chain", 1, stage.plain()) as chain,
    ):
        orders, skus = stage.scale.orders, stage.scale.skus
        rows = {
            "ours": _rows_of(stage, "profiled", lambda: ours.do(orders=orders, skus=skus)) / orders,
            "chain": _rows_of(stage, "plain", lambda: chain.do(orders=orders, lines=SMALL, skus=skus)) / orders,
        }
        servers = _in_turn(stage, ours, chain, {"PostgreSQL": stage.postgresql.program.pid})
        large = _line_of_a_large_order(stage, ours)
    with embedded_system(stage) as ours, embedded_chain(stage) as chain:
        embedded = _in_turn(stage, ours, chain, {})
    return {
        **servers,
        "line of a large order": large,
        "embedded": embedded,
        "rows": rows,
        "event": _steps_of_an_event(stage),
        "flushes": flushes_a_second(stage, 1, orders),
        "n": f"{orders:,} orders of {SMALL} lines in each of {stage.scale.rounds} rounds",
    }


def _in_turn(stage: Stage, ours: ProcessGroup, chain: ProcessGroup, servers: Mapping[str, int]) -> dict[str, Any]:
    """Measure both sides alternately: the CPU time of an order by process, and the packages that ours spent it in."""
    orders, skus = stage.scale.orders, stage.scale.skus
    rounds: list[dict[str, Any]] = []
    chains: list[dict[str, float]] = []
    leaders = {"Python": chain.pids[0], **servers}
    for _ in range(stage.scale.rounds):
        rounds += ours.do(orders=orders, skus=skus)
        before = {who: cpu_of_all(pid) for who, pid in leaders.items()}
        chain.do(orders=orders, lines=SMALL, skus=skus)
        chains.append({who: (cpu_of_all(pid) - before[who]) * 1000 / orders for who, pid in leaders.items()})
    seen = sum((Counter(one["seen"]) for one in rounds), Counter())
    return {
        "took": {part: _medians([one["took"][part] for one in rounds]) for part in rounds[0]["took"]},
        "chain": _medians(chains),
        "seen": {package: times / seen.total() for package, times in seen.most_common()},
    }


def _line_of_a_large_order(stage: Stage, ours: ProcessGroup) -> dict[str, float]:
    """Measure the CPU time of a line of a large order, and the rows it adds."""
    orders, skus = stage.scale.large_orders, stage.scale.skus
    lines = orders * LARGE

    def do() -> list[dict[str, Any]]:
        return ours.do(orders=orders, skus=skus, lines=LARGE)

    added = _rows_of(stage, "profiled", do) / lines
    rounds = [_sum(one["took"]) for _ in range(stage.scale.rounds) for one in do()]
    return {"rows": added, **{who: spent / LARGE for who, spent in _medians(rounds).items()}}


def _steps_of_an_event(stage: Stage) -> dict[str, float]:
    """Measure an event in microseconds: recording and dispatching it, its single steps, and a Django signal instead."""
    n = stage.scale.dispatches
    with recorder(stage) as ours, signals(stage) as baseline:
        rounds = [
            {
                **ours.do(times=n, what="steps")[0],
                **{what: seconds * 1e6 / n for what, seconds in ours.do(times=n)[0].items()},
                "signal": baseline.do(times=n)[0] * 1e6 / n,
            }
            for _ in range(stage.scale.rounds)
        ]
    return _medians(rounds)


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {who: median(one[who] for one in rounds) for who in rounds[0]}


def _rows_of(stage: Stage, database: str, do: Any) -> int:
    """Call `do`; returns how many rows it added to a database."""
    before = _rows_in(stage, database)
    do()
    return _rows_in(stage, database) - before


def _rows_in(stage: Stage, name: str) -> int:
    with psycopg.connect(stage.postgresql.url(name)) as database:
        tables = database.execute("SELECT relname FROM pg_stat_user_tables").fetchall()
        counts = [sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier(table)) for (table,) in tables]
        row = database.execute(sql.SQL("SELECT {}").format(sql.SQL(" + ").join(counts))).fetchone()
    assert row is not None
    return int(row[0])


# --- The section of the page ---


def render(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the section of the page, line by line."""
    took, chain, rows = report["took"], report["chain"], report["rows"]
    ours = _sum(took)
    yield "## Where the time of an order goes\n"
    yield "A single process places orders, 20 at a time, and runs all their reactions; no worker runs. The bare chain"
    yield "is a single process as well. The table shows milliseconds of CPU per order, of that process and of its"
    yield "PostgreSQL connection.\n"
    yield "| | Python | PostgreSQL | together | rows it adds |\n|---|--:|--:|--:|--:|"
    for part, spent in took.items():
        yield f"| {part} | {spent['Python']:.2f} | {spent['PostgreSQL']:.2f} | {_whole(spent):.2f} | |"
    for whose, spent, added in (("total", ours, rows["ours"]), ("the bare chain", chain, rows["chain"])):
        each = f"{spent['Python']:.2f} | {spent['PostgreSQL']:.2f} | {_whole(spent):.2f}"
        yield f"| **{whose}** | {each} | {added:.0f} |"
    yield "\nPackages in which our process spent its time (the innermost frame that is not of Python's own library):\n"
    yield from _seen(report["seen"])
    embedded = report["embedded"]
    yield "The same in the embedded mode, where SQLite runs inside the process:\n"
    yield "| " + " | ".join([*embedded["took"], "**total**", "**the bare chain**"]) + " |"
    yield "|" + "--:|" * (len(embedded["took"]) + 2)
    each = [*embedded["took"].values(), _sum(embedded["took"]), embedded["chain"]]
    yield "| " + " | ".join(f"{_whole(spent):.2f}" for spent in each) + " |\n"
    yield from _seen(embedded["seen"])
    yield from (f"* {sentence}" for sentence in _sentences(took, chain, rows, report["flushes"]))
    others = [_large(ours, rows, report["line of a large order"]), _embedded(embedded, rows), _event(report["event"])]
    yield from (f"* {sentence}" for sentence in others)
    yield ""


def _seen(seen: Mapping[str, float]) -> Iterator[str]:
    shares = _often(seen)
    yield "| " + " | ".join(package for package, _ in shares) + " |"
    yield "|" + "--:|" * len(shares)
    yield "| " + " | ".join(f"{share:.0%}" for _, share in shares) + " |\n"


def _sentences(
    took: Mapping[str, Mapping[str, float]], chain: Mapping[str, float], rows: Mapping[str, float], flushes: float
) -> Iterator[str]:
    ours = _sum(took)
    yield (
        f"**Row a** can reach about {_whole(chain) / _whole(ours):.2f} by these figures, with both cores busy, no "
        "broker, and batches of 20 orders. With larger batches each order costs less. "
        f"An order takes {_whole(ours) / _whole(chain):.1f} times the CPU time of the chain, and adds "
        f"{rows['ours'] / rows['chain']:.1f} times the rows. The rows are the guarantees: history, messages, "
        "deliveries and read models. "
        f"A row takes {_whole(ours) / rows['ours']:.2f} ms; a row of the chain takes "
        f"{_whole(chain) / rows['chain']:.2f}."
    )
    yield (
        f"**Row j** is the same flow. At {_whole(ours):.1f} ms per order it is five times as fast as django-oscar if "
        f"one `place_order` takes {5 * _whole(ours):.0f} ms of Python and PostgreSQL. A real system also spends time "
        "on the broker and on beat."
    )
    statements, commits = (sum(costs) for costs in zip(*(_alone(name) for name in TO_CONFIRMATION), strict=True))
    waits = commits - len(TO_CONFIRMATION)
    yield (
        f"**Row d**: between placing and confirmation, {len(TO_CONFIRMATION)} reactions run one after the other, with "
        f"{statements} statements and {commits} commits. {waits} commits wait for the disk, {1000 / flushes:.1f} ms "
        "each here; the commits of claims do not. The three no-op tasks do not use the database. The slowest orders "
        "coincide with the catch-up of read models, which runs once a second and takes "
        f"{_whole(took['read models']):.2f} ms for each order of that second."
    )


def _large(ours: Mapping[str, float], rows: Mapping[str, float], line: Mapping[str, float]) -> str:
    alone, among_many = _whole(ours) / SMALL, line["Python"] + line["PostgreSQL"]
    return (
        f"**Row h** can reach about {alone / among_many:.1f} by these figures: a line of an order of {SMALL} takes "
        f"{alone:.2f} ms, one of {LARGE} takes {among_many:.3f} ({line['Python']:.3f} of Python, "
        f"{line['PostgreSQL']:.3f} of PostgreSQL). For a ratio of ten it would have to take {alone / 10:.3f}, so every "
        f"saving for small orders lowers this ratio. Each line adds {line['rows']:.1f} rows, changes a stock item, and "
        f"changes the sales figures of its day. A row of a large order takes {among_many / line['rows']:.3f} ms, one "
        f"of a small order {_whole(ours) / rows['ours']:.3f}."
    )


def _embedded(embedded: Mapping[str, Any], rows: Mapping[str, float]) -> str:
    ours, chain = _whole(_sum(embedded["took"])), _whole(embedded["chain"])
    return (
        f"**Row i** can reach about {chain / ours:.2f} by these figures: one interpreter does all the work, and no "
        "database server works in parallel. "
        f"A row takes {ours / rows['ours']:.3f} ms, one of the chain {chain / rows['chain']:.3f}, and an order adds "
        f"{rows['ours'] / rows['chain']:.0f} times the rows."
    )


def _event(event: Mapping[str, float]) -> str:
    steps = f"its ID takes {event['its id']:.2f}, its timestamp {event['its moment']:.2f}, the event object "
    steps += f"{event['the fact']:.2f}"
    return (
        f"**Row e**: an event takes {event['all']:.2f} µs, {event['dispatch']:.2f} of them for the dispatch. A signal "
        f"takes {event['signal']:.2f}. To be five times as fast, an event would have to take "
        f"{event['signal'] / 5:.2f}. "
        f"But {steps}, and the rest of recording changes the aggregate, its version and the event's metadata."
    )


def _alone(reaction: str) -> tuple[int, int]:
    """Return the statements and commits of a reaction to one event, from docs/costs.json."""
    statements, commits, *_ = json.loads((ROOT / "docs" / "costs.json").read_text())["reactions"][reaction]["alone"]
    return statements, commits


def _often(seen: Mapping[str, float]) -> list[tuple[str, float]]:
    often = [(f"`{package}`", share) for package, share in seen.items() if share >= RARE]
    return [*often, ("elsewhere", 1 - sum(share for _, share in often))]


def _sum(took: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the sum of all parts, by process."""
    return dict(sum((Counter(part) for part in took.values()), Counter()))


def _whole(spent: Mapping[str, float]) -> float:
    return sum(spent.values())
