"""The tables that every order adds to, at several sizes: as they are, and partitioned by month, measured in turn.

Both are grown together from the rows of real orders, which are repeated over two years. Nothing is archived before it
is measured, so messages and deliveries are as large as if archiving had never run.
"""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from math import log10
from statistics import median
from typing import Any
from uuid import UUID

import psycopg

from tests.bench.history import EARLIER, FIRST_NUMBER, NoRoom, Repetition, repeat
from tests.bench.stage import Stage
from tests.system.running_system import ROOT

RECIPE = ROOT / "docs" / "partition_by_month.sql"
TABLES = {"ordering_history": "id", "integration_message": "id", "integration_delivery": "message_id"}
"""What grows here, and the column each is partitioned by."""
MODELS = 10
"""So many orders go their way, and are repeated."""
BYTES_EACH = 9_000
"""What an order takes in these tables with their indexes, in one layout, with its share of the log."""
MOST_BYTES = 25 * 2**30
LAYOUTS = ("as they are", "by month")
FAR = 100_000_000
"""Orders that are extrapolated to."""
WHAT = {
    "insert": "history, messages and deliveries of 20 orders inserted, one transaction",
    "claim": "50 deliveries that wait claimed, one statement",
    "look up": "one order's history looked up",
    "archive": "500 messages archived with their deliveries",
}


class NoSuchPast(RuntimeError):
    """No shop has a past like the one that was made: what is measured in it means nothing."""


def measure(stage: Stage) -> dict[str, Any]:
    """Both layouts at every size, beside the smallest; raises `NoRoom` before anything is made."""
    sizes, names = stage.scale.growth, dict(zip(LAYOUTS, ("grown", "grown_by_month"), strict=True))
    assert_room(stage, max(sizes))
    _found(stage, names)
    for name in names.values():
        _grow(stage, name, MODELS, sizes[0])
    # A copy stays as small as it is, so that every size has the smallest beside it in the same minutes.
    stage.postgresql.ask(f"CREATE DATABASE smallest TEMPLATE {names[LAYOUTS[0]]}")
    databases = {"smallest": "smallest", **names}
    seen: dict[str, list[dict[str, Any]]] = {layout: [] for layout in LAYOUTS}
    with ExitStack() as ends:
        crews = {
            who: stage.crew("tests.bench.ours.grow", 1, stage.environment(name)) for who, name in databases.items()
        }
        for crew in crews.values():
            ends.enter_context(crew)
        for before, size in zip((sizes[0], *sizes), sizes, strict=False):
            for name in names.values():
                _grow(stage, name, before, size)
            rounds: dict[str, list[dict[str, float]]] = {who: [] for who in crews}
            for _ in range(stage.scale.rounds + 1):  # the first does not count
                for who, crew in crews.items():
                    orders = sizes[0] if who == "smallest" else size
                    rounds[who] += crew.do(first=FIRST_NUMBER + 1, orders=orders, times=stage.scale.growth_times)
            ms = {who: {what: median(one[what] for one in rounds[who][1:]) for what in WHAT} for who in crews}
            for layout, name in names.items():
                seen[layout].append(
                    {"orders": size, "ms": ms[layout], "smallest": ms["smallest"], **_bytes(stage, name)}
                )
    how = f"{stage.scale.growth_months} months, {stage.scale.rounds} rounds"
    return {
        "layouts": seen,
        "month": {layout: _let_go_of_a_month(stage, name, layout == "by month") for layout, name in names.items()},
        "shared_buffers": stage.postgresql.ask("SELECT pg_size_bytes(current_setting('shared_buffers'))")[0][0],
        "n": f"{', '.join(f'{size:,}' for size in sizes)} orders over {how}",
    }


def assert_room(stage: Stage, orders: int) -> None:
    """Raise `NoRoom` if so many orders, twice, do not fit."""
    needed, free = len(LAYOUTS) * orders * BYTES_EACH, shutil.disk_usage(stage.folder).free
    room = min(free, MOST_BYTES)
    if needed > room:
        raise NoRoom(
            f"{orders:,} orders in both layouts take {needed / 2**30:.0f} GiB, and no more than {room / 2**30:.0f} are "
            "used: see --growth"
        )


def _found(stage: Stage, names: Mapping[str, str]) -> None:
    """A database for each layout, with the same few real orders in it, which lie before all months."""
    first, second = names.values()
    stage.postgresql.ask(f"CREATE DATABASE {first} TEMPLATE furnished")
    with psycopg.connect(stage.postgresql.url(first), autocommit=True) as database:
        database.execute(f"SELECT setval('integration_order_number', {FIRST_NUMBER})")
        stage.run("tests.bench.ours.long_ago", str(MODELS), str(stage.scale.skus), environment=stage.environment(first))
        before = _before(stage)
        with database.transaction():
            database.execute("SET LOCAL session_replication_role = replica")
            database.execute(EARLIER)
            for table, key in TABLES.items():
                # When it was settled, too: archiving would find that what was settled lately is to stay.
                moments = ["due_at", "done_at"] if table == "integration_delivery" else ["occurred_at"]
                earlier = [f"{moment} = {moment} - interval '{before.days} days'" for moment in moments]
                moved = f"{key} = pg_temp.moved({key}, {-1000 * before.total_seconds():.0f}::bigint)"
                database.execute(f"UPDATE {table} SET {', '.join([*earlier, moved])}")
    stage.postgresql.ask(f"CREATE DATABASE {second} TEMPLATE {first}")
    with psycopg.connect(stage.postgresql.url(second), autocommit=True) as database:
        partition(database, stage.scale.growth_months + 1)


def _before(stage: Stage) -> timedelta:
    """How long ago the first orders are put, so that they lie in the partition of the past."""
    return timedelta(days=31 * (stage.scale.growth_months + 3))


def partition(database: "psycopg.Connection[Any]", months: int) -> None:
    """Run the recipe of the docs, as if it had been run so many months ago; every month since has its partition."""
    first = months_ago(months)
    with database.transaction():
        database.execute(RECIPE.read_text().replace(":first", f"'{first}'"))
        for table in TABLES:
            for month in range(2, months + 2):  # the next is there before it begins
                database.execute("CALL add_month(%s, %s)", [table, months_ago(months - month)])


def months_ago(months: int) -> date:
    """The first day of a month."""
    month = date.today().replace(day=1)  # noqa: DTZ011 - which month it is, is all that matters
    years, rest = divmod(month.year * 12 + month.month - 1 - months, 12)
    return date(years, rest + 1, 1)


def _grow(stage: Stage, name: str, made: int, orders: int) -> None:
    """Repeat the orders there are, over all months, until there are so many."""
    span = timedelta(days=30 * stage.scale.growth_months)
    first, last = made // MODELS, orders // MODELS - 1
    if last < first:
        return
    # Each time by another number of milliseconds beside whole hundredths of a second, or a repetition might fall on one
    # that is there, and have its keys.
    beside = timedelta(milliseconds=1 + (MODELS, *stage.scale.growth).index(made))
    ago = span - _before(stage) + beside
    past = Repetition(MODELS, first, last, round(span.total_seconds() / (last - first + 2), 2), ago)
    with psycopg.connect(stage.postgresql.url(name), autocommit=True) as database:
        with database.transaction():
            database.execute("SET LOCAL session_replication_role = replica")
            database.execute(EARLIER)
            for table in reversed(TABLES):
                repeat(database, table, past)
        late = database.execute("SELECT count(*) FROM integration_delivery WHERE done_at > due_at + interval '1 day'")
        if late.fetchone() != (0,):
            raise NoSuchPast("there are deliveries that were settled in another time than they were told in")
        database.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")
        database.execute("CHECKPOINT")


def _bytes(stage: Stage, name: str) -> dict[str, int]:
    """What the tables and their indexes take, in all partitions."""
    like = " OR ".join(f"relname LIKE '{table}%'" for table in TABLES)
    with psycopg.connect(stage.postgresql.url(name)) as database:
        row = database.execute(
            f"SELECT sum(pg_table_size(relid))::bigint, sum(pg_indexes_size(relid))::bigint "
            f"FROM pg_stat_user_tables WHERE {like}"
        ).fetchone()
    assert row is not None
    return {"table_bytes": row[0], "index_bytes": row[1]}


def _let_go_of_a_month(stage: Stage, name: str, by_month: bool) -> dict[str, float]:
    """The seconds it takes to be rid of a month of messages and deliveries, and how many they were."""
    middle = stage.scale.growth_months // 2
    month, end = months_ago(middle), months_ago(middle - 1)
    tables = [("integration_delivery", "message_id"), ("integration_message", "id")]
    with psycopg.connect(stage.postgresql.url(name), autocommit=True) as database:
        where = f"BETWEEN '{_first_key_of(month)}' AND '{_first_key_of(end)}'"
        rows = [
            database.execute(f"SELECT count(*) FROM {table} WHERE {key} {where}").fetchone() for table, key in tables
        ]
        began = time.perf_counter()
        for table, key in tables:
            part = f"{table}_{month:%Y_%m}"
            if by_month:
                database.execute(f"ALTER TABLE {table} DETACH PARTITION {part}")
                database.execute(f"DROP TABLE {part}")
            else:
                database.execute(f"DELETE FROM {table} WHERE {key} {where}")
        if not by_month:
            database.execute("VACUUM integration_delivery, integration_message")
        return {"rows": sum(row[0] for row in rows if row), "seconds": time.perf_counter() - began}


def _first_key_of(month: date) -> UUID:
    """What no UUIDv7 made before the month comes after."""
    return UUID(int=int(datetime(month.year, month.month, 1, tzinfo=UTC).timestamp() * 1000) << 80)


# --- Told ---


def extrapolated(points: Sequence[tuple[float, float]], at: float) -> float:
    """The value there, if it goes on as a + b · log(orders): the least squares through the points."""
    xs, ys = [log10(x) for x, _ in points], [y for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
    return mean_y + slope * (log10(at) - mean_x)


def publish_all(report: Mapping[str, Any]) -> Iterator[str]:
    """The section of the page, line by line."""
    layouts = report["layouts"]
    sizes = [point["orders"] for point in layouts[LAYOUTS[0]]]
    yield "## How it does with very many orders\n"
    yield "Milliseconds (median), and in brackets the ratio to the smallest size with its tables as they are, which was"
    yield "measured beside every other in the same rounds. The same tables were partitioned by month with the recipe of"
    yield "[operations](operations.md#very-many-orders). The last column is **not measured**: it is the ratio that"
    yield f"{FAR:,} orders would have if it went on as a + b · log(orders).\n"
    yield "| what | tables | " + " | ".join(f"{size:,}" for size in sizes) + f" | {FAR:,}, extrapolated |"
    yield "|---|---|" + "--:|" * (len(sizes) + 1)
    for what, told in WHAT.items():
        for layout in LAYOUTS:
            points = layouts[layout]
            ratios = [point["ms"][what] / point["smallest"][what] for point in points]
            cells = [f"{point['ms'][what]:.2f} ({ratio:.2f})" for point, ratio in zip(points, ratios, strict=True)]
            far = extrapolated(list(zip(sizes, ratios, strict=True)), FAR)
            yield "| " + " | ".join([told, layout, *cells, f"({far:.2f})"]) + " |"
    yield ""
    yield from _sizes(layouts, report["shared_buffers"])
    yield from _month(report["month"])


def _sizes(layouts: Mapping[str, Any], buffers: int) -> Iterator[str]:
    yield "| orders | tables | size | indexes | indexes, an order | indexes to PostgreSQL's own memory |"
    yield "|--:|---|--:|--:|--:|--:|"
    for at in zip(*layouts.values(), strict=True):
        for layout, point in zip(layouts, at, strict=True):
            index = point["index_bytes"]
            cells = [f"{point['orders']:,}", layout, _size(point["table_bytes"]), _size(index)]
            yield "| " + " | ".join([*cells, _size(index / point["orders"]), f"{index / buffers:.1f} times"]) + " |"
    largest = layouts[LAYOUTS[0]][-1]
    an_order = largest["index_bytes"] / largest["orders"]
    yield (
        f"\nPostgreSQL had {_size(buffers)} of memory of its own (`shared_buffers`). At {FAR:,} orders the indexes "
        f"of these tables would be {_size(an_order * FAR)}. What is worked on is at their end, for keys "
        "begin with their moment; the whole of them is only needed by who looks far back.\n"
    )


def _month(month: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    kept, parted = (month[layout] for layout in LAYOUTS)
    yield (
        f"To be rid of a month of messages and deliveries took {kept['seconds']:.2f} s by DELETE and VACUUM "
        f"({kept['rows']:,.0f} rows), and {parted['seconds']:.2f} s by detaching and dropping its partitions "
        f"({parted['rows']:,.0f} rows).\n"
    )


def _size(size: float) -> str:
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size / 2**10:,.1f} KiB"
