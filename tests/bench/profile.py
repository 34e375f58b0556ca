"""Where the time of an order goes, beside that of the bare chain: one process each, so that nothing else is in it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

import psycopg
from psycopg import sql

from tests.bench.capacity import flushes_a_second
from tests.bench.clocks import cpu_of_all
from tests.bench.crew import Crew
from tests.bench.in_memory import recorder, signals
from tests.bench.orders_through import LARGE, SMALL, embedded_chain, embedded_system, furnish_plain
from tests.bench.stage import Stage
from tests.system.running_system import ROOT

TO_CONFIRMATION = (
    "inventory.reserve-stock",
    "billing.request-payment",
    "billing.collect-payment",
    "ordering.confirm-paid-order",
)
"""The reactions that an order waits for, one after the other, before it is confirmed."""
SELDOM = 0.01
"""Rooms in which the process was seen less often than this are told together."""


def measure(stage: Stage) -> dict[str, Any]:
    """What an order takes of the processor, part by part, and where the process was meanwhile; what rows it leaves; the
    same embedded; and what an event takes, step by step."""
    furnish_plain(stage)
    stage.postgresql.ask("CREATE DATABASE walked TEMPLATE furnished")
    with (
        stage.crew("tests.bench.ours.walk", 1, stage.environment("walked")) as ours,
        stage.crew("tests.bench.baselines.chain", 1, stage.plain()) as chain,
    ):
        orders, skus = stage.scale.orders, stage.scale.skus
        rows = {
            "ours": _rows_of(stage, "walked", lambda: ours.do(orders=orders, skus=skus)) / orders,
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


def _in_turn(stage: Stage, ours: Crew, chain: Crew, servers: Mapping[str, int]) -> dict[str, Any]:
    """What both take of the processor, with their servers, and where ours was meanwhile."""
    orders, skus = stage.scale.orders, stage.scale.skus
    walks: list[dict[str, Any]] = []
    chains: list[dict[str, float]] = []
    leaders = {"Python": chain.pids[0], **servers}
    for _ in range(stage.scale.rounds):
        walks += ours.do(orders=orders, skus=skus)
        before = {who: cpu_of_all(pid) for who, pid in leaders.items()}
        chain.do(orders=orders, lines=SMALL, skus=skus)
        chains.append({who: (cpu_of_all(pid) - before[who]) * 1000 / orders for who, pid in leaders.items()})
    seen = sum((Counter(walk["seen"]) for walk in walks), Counter())
    return {
        "took": {part: _medians([walk["took"][part] for walk in walks]) for part in walks[0]["took"]},
        "chain": _medians(chains),
        "seen": {room: times / seen.total() for room, times in seen.most_common()},
    }


def _line_of_a_large_order(stage: Stage, ours: Crew) -> dict[str, float]:
    """What each line of a large order takes of the processor, and how many rows it adds."""
    orders, skus = stage.scale.large_orders, stage.scale.skus
    lines = orders * LARGE

    def do() -> list[dict[str, Any]]:
        return ours.do(orders=orders, skus=skus, lines=LARGE)

    added = _rows_of(stage, "walked", do) / lines
    walks = [_sum(walk["took"]) for _ in range(stage.scale.rounds) for walk in do()]
    return {"rows": added, **{who: spent / LARGE for who, spent in _medians(walks).items()}}


def _steps_of_an_event(stage: Stage) -> dict[str, float]:
    """Microseconds: of all that is done with one, of what it is made of, and of a signal in its place."""
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
    """How many rows more there are in a database afterwards."""
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


# --- Told ---


def publish_all(report: Mapping[str, Any]) -> Iterator[str]:
    """The section of the page, line by line."""
    took, chain, rows = report["took"], report["chain"], report["rows"]
    ours = _sum(took)
    yield "## Where the time of an order goes\n"
    yield "One process places orders, 20 at once, and does all that follows; no worker and nothing else runs. The bare"
    yield "chain is one process, too. Milliseconds of CPU, of that process and of its PostgreSQL, for each order.\n"
    yield "| | Python | PostgreSQL | together | rows it adds |\n|---|--:|--:|--:|--:|"
    for part, spent in took.items():
        yield f"| {part} | {spent['Python']:.2f} | {spent['PostgreSQL']:.2f} | {_whole(spent):.2f} | |"
    for whose, spent, added in (("all of it", ours, rows["ours"]), ("the bare chain", chain, rows["chain"])):
        each = f"{spent['Python']:.2f} | {spent['PostgreSQL']:.2f} | {_whole(spent):.2f}"
        yield f"| **{whose}** | {each} | {added:.0f} |"
    yield "\nIn which code our process spent its time, by the innermost that is not Python's own:\n"
    yield from _seen(report["seen"])
    embedded = report["embedded"]
    yield "The same embedded, where SQLite is a part of the process:\n"
    yield "| " + " | ".join([*embedded["took"], "**all of it**", "**the bare chain**"]) + " |"
    yield "|" + "--:|" * (len(embedded["took"]) + 2)
    each = [*embedded["took"].values(), _sum(embedded["took"]), embedded["chain"]]
    yield "| " + " | ".join(f"{_whole(spent):.2f}" for spent in each) + " |\n"
    yield from _seen(embedded["seen"])
    yield from (f"* {sentence}" for sentence in _sentences(took, chain, rows, report["flushes"]))
    others = [_large(ours, rows, report["line of a large order"]), _embedded(embedded, rows), _event(report["event"])]
    yield from (f"* {sentence}" for sentence in others)
    yield ""


def _seen(seen: Mapping[str, float]) -> Iterator[str]:
    rooms = _rooms(seen)
    yield "| " + " | ".join(room for room, _ in rooms) + " |"
    yield "|" + "--:|" * len(rooms)
    yield "| " + " | ".join(f"{share:.0%}" for _, share in rooms) + " |\n"


def _sentences(
    took: Mapping[str, Mapping[str, float]], chain: Mapping[str, float], rows: Mapping[str, float], flushes: float
) -> Iterator[str]:
    ours = _sum(took)
    yield (
        f"**Row a** can be about {_whole(chain) / _whole(ours):.2f} by this, with both cores busy, no broker, and 20 "
        "orders handled together; where more wait, each costs less. "
        f"An order takes {_whole(ours) / _whole(chain):.1f} times the processor of the chain, and adds "
        f"{rows['ours'] / rows['chain']:.1f} times the rows. The rows are the guarantees: what happened, what "
        "others are still to be told, who has done it, and what is shown of it. "
        f"{_whole(ours) / rows['ours']:.2f} ms a row are to be set against the chain's "
        f"{_whole(chain) / rows['chain']:.2f}."
    )
    yield (
        f"**Row j** is the same flow. At {_whole(ours):.1f} ms an order it can be five times django-oscar's where one "
        f"`place_order` takes {5 * _whole(ours):.0f} ms of Python and PostgreSQL. In a house, the broker, whoever "
        "talks to it and beat come on top of that."
    )
    statements, commits = (sum(costs) for costs in zip(*(_alone(name) for name in TO_CONFIRMATION), strict=True))
    waits = commits - len(TO_CONFIRMATION)
    yield (
        f"**Row d**: between placed and confirmed lie {len(TO_CONFIRMATION)} reactions, one after the other, with "
        f"{statements} statements and {commits} commits. {waits} of them wait for the disk, {1000 / flushes:.1f} ms "
        "each here; claims do not. The three no-op tasks ask the database nothing. The slowest are those upon which "
        "the taking on of read models falls: once a second, and "
        f"{_whole(took['read models']):.2f} ms for each order of that second."
    )


def _large(ours: Mapping[str, float], rows: Mapping[str, float], line: Mapping[str, float]) -> str:
    alone, among_many = _whole(ours) / SMALL, line["Python"] + line["PostgreSQL"]
    return (
        f"**Row h** can be about {alone / among_many:.1f} by this: a line of an order of {SMALL} takes {alone:.2f} ms, "
        f"one of {LARGE} takes {among_many:.3f} ({line['Python']:.3f} of Python, {line['PostgreSQL']:.3f} of "
        f"PostgreSQL). To be ten times as cheap, it would have to take {alone / 10:.3f}: the less a small order takes, "
        f"the less. What no line shares with another are {line['rows']:.1f} rows that it adds, the stock that it "
        f"changes, and the days' figures that show it. A row of a large order takes {among_many / line['rows']:.3f} ms "
        f"with that, one of a small order {_whole(ours) / rows['ours']:.3f}."
    )


def _embedded(embedded: Mapping[str, Any], rows: Mapping[str, float]) -> str:
    ours, chain = _whole(_sum(embedded["took"])), _whole(embedded["chain"])
    return (
        f"**Row i** can be about {chain / ours:.2f} by this: one interpreter does everything in turn, and nothing is "
        "done beside it by a server. "
        f"It is {ours / rows['ours']:.3f} ms a row beside the chain's {chain / rows['chain']:.3f}, and "
        f"{rows['ours'] / rows['chain']:.0f} times the rows."
    )


def _event(event: Mapping[str, float]) -> str:
    made = " ".join(f"{what} takes {event[what]:.2f}," for what in ("its id", "its moment", "the fact"))
    return (
        f"**Row e**: an event takes {event['all']:.2f} µs, {event['dispatch']:.2f} of them the dispatch, and a signal "
        f"{event['signal']:.2f}. To be five times as fast, all of it would have to take {event['signal'] / 5:.2f}; but "
        f"{made} and what is left of recording is the aggregate's change, its version and the event's metadata."
    )


def _alone(reaction: str) -> tuple[int, int]:
    """The statements and the commits of a reaction to one event, as docs/costs.md tells them."""
    statements, commits, *_ = json.loads((ROOT / "docs" / "costs.json").read_text())["reactions"][reaction]["alone"]
    return statements, commits


def _rooms(seen: Mapping[str, float]) -> list[tuple[str, float]]:
    often = [(f"`{room}`", share) for room, share in seen.items() if share >= SELDOM]
    return [*often, ("elsewhere", 1 - sum(share for _, share in often))]


def _sum(took: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What all parts took, by who took it."""
    return dict(sum((Counter(part) for part in took.values()), Counter()))


def _whole(spent: Mapping[str, float]) -> float:
    return sum(spent.values())
