"""Measures the tables that grow with every order, at several sizes: as they are, and partitioned by month.

Both layouts grow in step, from the rows of real orders, which are repeated over two years. Nothing is archived before
the measurement, so messages and deliveries are as large as if archiving had never run.
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

from tests.bench.history import FIRST_NUMBER, MOVED_FUNCTION, NotEnoughDisk, Repetition, repeat
from tests.bench.stage import Stage
from tests.system.running_system import ROOT

RECIPE = ROOT / "docs" / "partition_by_month.sql"
TABLES = {"ordering_history": "id", "integration_message": "id", "integration_delivery": "message_id"}
"""The tables that grow, and the column each is partitioned by."""
MODELS = 10
"""Orders that the real code takes to their shipment, and whose rows are repeated."""
BYTES_EACH = 9_000
"""Bytes of an order in these tables, in one layout, with indexes and its share of the write-ahead log."""
MOST_BYTES = 25 * 2**30
LAYOUTS = ("as they are", "by month")
FAR = 100_000_000
"""The number of orders to extrapolate to."""
WHAT = {
    "insert": "insert the history, messages and deliveries of 20 orders, one transaction",
    "claim": "claim 50 pending deliveries, one statement",
    "look up": "look up the history of one order",
    "archive": "archive 500 messages with their deliveries",
}


class NoSuchPast(RuntimeError):
    """The generated rows are like no real shop's, so measurements of them mean nothing."""


def measure(stage: Stage) -> dict[str, Any]:
    """Measure both layouts at every size, and the smallest size again in each round.

    Raises `NotEnoughDisk` before it creates anything.
    """
    sizes, names = stage.scale.growth, dict(zip(LAYOUTS, ("grown", "grown_by_month"), strict=True))
    check_disk_space(stage, max(sizes))
    _create_databases(stage, names)
    for name in names.values():
        _grow(stage, name, MODELS, sizes[0])
    # A copy that stays at the smallest size is measured in the same rounds as every other size.
    stage.postgresql.ask(f"CREATE DATABASE smallest TEMPLATE {names[LAYOUTS[0]]}")
    databases = {"smallest": "smallest", **names}
    seen: dict[str, list[dict[str, Any]]] = {layout: [] for layout in LAYOUTS}
    with ExitStack() as ends:
        groups = {
            who: stage.start_processes("tests.bench.ours.grow", 1, stage.environment(name))
            for who, name in databases.items()
        }
        for group in groups.values():
            ends.enter_context(group)
        for before, size in zip((sizes[0], *sizes), sizes, strict=False):
            for name in names.values():
                _grow(stage, name, before, size)
            rounds: dict[str, list[dict[str, float]]] = {who: [] for who in groups}
            for _ in range(stage.scale.rounds + 1):  # the first does not count
                for who, group in groups.items():
                    orders = sizes[0] if who == "smallest" else size
                    rounds[who] += group.do(first=FIRST_NUMBER + 1, orders=orders, times=stage.scale.growth_times)
            ms = {who: {what: median(one[what] for one in rounds[who][1:]) for what in WHAT} for who in groups}
            for layout, name in names.items():
                seen[layout].append(
                    {"orders": size, "ms": ms[layout], "smallest": ms["smallest"], **_bytes(stage, name)}
                )
    how = f"{stage.scale.growth_months} months, {stage.scale.rounds} rounds"
    return {
        "layouts": seen,
        "month": {layout: _drop_a_month(stage, name, layout == "by month") for layout, name in names.items()},
        "shared_buffers": stage.postgresql.ask("SELECT pg_size_bytes(current_setting('shared_buffers'))")[0][0],
        "n": f"{', '.join(f'{size:,}' for size in sizes)} orders over {how}",
    }


def check_disk_space(stage: Stage, orders: int) -> None:
    """Raise `NotEnoughDisk` if this many orders do not fit on the disk in both layouts."""
    needed, free = len(LAYOUTS) * orders * BYTES_EACH, shutil.disk_usage(stage.folder).free
    usable = min(free, MOST_BYTES)
    if needed > usable:
        raise NotEnoughDisk(
            f"{orders:,} orders in both layouts take {needed / 2**30:.0f} GiB, but at most {usable / 2**30:.0f} GiB "
            "may be used: see --growth"
        )


def _create_databases(stage: Stage, names: Mapping[str, str]) -> None:
    """Create a database for each layout, with the same few real orders, dated before the first month."""
    first, second = names.values()
    stage.postgresql.ask(f"CREATE DATABASE {first} TEMPLATE prepared")
    with psycopg.connect(stage.postgresql.url(first), autocommit=True) as database:
        database.execute(f"SELECT setval('integration_order_number', {FIRST_NUMBER})")
        stage.run(
            "tests.bench.ours.old_orders", str(MODELS), str(stage.scale.skus), environment=stage.environment(first)
        )
        before = _before(stage)
        with database.transaction():
            database.execute("SET LOCAL session_replication_role = replica")
            database.execute("ALTER TABLE ordering_history DISABLE TRIGGER ordering_history_is_append_only")
            database.execute(MOVED_FUNCTION)
            for table, key in TABLES.items():
                # Move `done_at` as well: archiving leaves deliveries alone that were settled recently.
                moments = ["due_at", "done_at"] if table == "integration_delivery" else ["occurred_at"]
                earlier = [f"{moment} = {moment} - interval '{before.days} days'" for moment in moments]
                moved = f"{key} = pg_temp.moved({key}, {-1000 * before.total_seconds():.0f}::bigint)"
                database.execute(f"UPDATE {table} SET {', '.join([*earlier, moved])}")
            database.execute("ALTER TABLE ordering_history ENABLE ALWAYS TRIGGER ordering_history_is_append_only")
    stage.postgresql.ask(f"CREATE DATABASE {second} TEMPLATE {first}")
    with psycopg.connect(stage.postgresql.url(second), autocommit=True) as database:
        partition(database, stage.scale.growth_months + 1)


def _before(stage: Stage) -> timedelta:
    """Return how far the first orders are moved back, so that they lie in the partition before all months."""
    return timedelta(days=31 * (stage.scale.growth_months + 3))


def partition(database: "psycopg.Connection[Any]", months: int) -> None:
    """Partition the tables with the recipe of the docs, as if it had run this many months ago.

    Every month since then, and the next one, gets its partition.
    """
    first = months_ago(months)
    with database.transaction():
        database.execute(RECIPE.read_text().replace(":first", f"'{first}'"))
        for table in TABLES:
            for month in range(2, months + 2):  # the next month gets its partition in advance
                database.execute("CALL add_month(%s, %s)", [table, months_ago(months - month)])


def months_ago(months: int) -> date:
    """Return the first day of the month that lies this many months back."""
    month = date.today().replace(day=1)  # noqa: DTZ011 - only the month matters, not the time zone
    years, rest = divmod(month.year * 12 + month.month - 1 - months, 12)
    return date(years, rest + 1, 1)


def _grow(stage: Stage, name: str, made: int, orders: int) -> None:
    """Repeat the existing orders over all months, until there are this many."""
    span = timedelta(days=30 * stage.scale.growth_months)
    first, last = made // MODELS, orders // MODELS - 1
    if last < first:
        return
    # Repetitions are spaced in hundredths of a second. Each call adds its own number of milliseconds, so that none of
    # its repetitions has the moment, and with it the keys, of an existing one.
    offset = timedelta(milliseconds=1 + (MODELS, *stage.scale.growth).index(made))
    ago = span - _before(stage) + offset
    past = Repetition(MODELS, first, last, round(span.total_seconds() / (last - first + 2), 2), ago)
    with psycopg.connect(stage.postgresql.url(name), autocommit=True) as database:
        with database.transaction():
            database.execute("SET LOCAL session_replication_role = replica")
            database.execute(MOVED_FUNCTION)
            for table in reversed(TABLES):
                repeat(database, table, past)
        late = database.execute("SELECT count(*) FROM integration_delivery WHERE done_at > due_at + interval '1 day'")
        if late.fetchone() != (0,):
            raise NoSuchPast("some deliveries were settled more than a day after they were due")
        database.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")
        database.execute("CHECKPOINT")


def _bytes(stage: Stage, name: str) -> dict[str, int]:
    """Return the bytes of the tables and of their indexes, over all partitions."""
    like = " OR ".join(f"relname LIKE '{table}%'" for table in TABLES)
    with psycopg.connect(stage.postgresql.url(name)) as database:
        row = database.execute(
            f"SELECT sum(pg_table_size(relid))::bigint, sum(pg_indexes_size(relid))::bigint "
            f"FROM pg_stat_user_tables WHERE {like}"
        ).fetchone()
    assert row is not None
    return {"table_bytes": row[0], "index_bytes": row[1]}


def _drop_a_month(stage: Stage, name: str, by_month: bool) -> dict[str, float]:
    """Remove a month of messages and deliveries; returns the number of rows and the seconds it took."""
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
    """Return the lower bound of all UUIDv7 keys created in or after the month."""
    return UUID(int=int(datetime(month.year, month.month, 1, tzinfo=UTC).timestamp() * 1000) << 80)


# --- The section of the page ---


def extrapolated(points: Sequence[tuple[float, float]], at: float) -> float:
    """Extrapolate to `at` with a least-squares fit of a + b · log(orders) through the points."""
    xs, ys = [log10(x) for x, _ in points], [y for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
    return mean_y + slope * (log10(at) - mean_x)


def render(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the section of the page, line by line."""
    layouts = report["layouts"]
    sizes = [point["orders"] for point in layouts[LAYOUTS[0]]]
    yield "## Very many orders\n"
    yield "Each cell shows the median in milliseconds. The ratio in brackets compares it with the smallest size, whose"
    yield "tables are as they are, and which was measured again in the same rounds. The tables *by month* were"
    yield "partitioned with the recipe of [operations](operations.md#very-many-orders). The last column is"
    yield f"**not measured**: it extrapolates the ratio to {FAR:,} orders as a + b · log(orders).\n"
    yield "| operation | tables | " + " | ".join(f"{size:,}" for size in sizes) + f" | {FAR:,}, extrapolated |"
    yield "|---|---|" + "--:|" * (len(sizes) + 1)
    for what, description in WHAT.items():
        for layout in LAYOUTS:
            points = layouts[layout]
            ratios = [point["ms"][what] / point["smallest"][what] for point in points]
            cells = [f"{point['ms'][what]:.2f} ({ratio:.2f})" for point, ratio in zip(points, ratios, strict=True)]
            far = extrapolated(list(zip(sizes, ratios, strict=True)), FAR)
            yield "| " + " | ".join([description, layout, *cells, f"({far:.2f})"]) + " |"
    yield ""
    yield from _sizes(layouts, report["shared_buffers"])
    yield from _month(report["month"])


def _sizes(layouts: Mapping[str, Any], buffers: int) -> Iterator[str]:
    yield "| orders | tables | size of tables | size of indexes | indexes per order | indexes / `shared_buffers` |"
    yield "|--:|---|--:|--:|--:|--:|"
    for at in zip(*layouts.values(), strict=True):
        for layout, point in zip(layouts, at, strict=True):
            index = point["index_bytes"]
            cells = [f"{point['orders']:,}", layout, _size(point["table_bytes"]), _size(index)]
            yield "| " + " | ".join([*cells, _size(index / point["orders"]), f"{index / buffers:.1f} times"]) + " |"
    largest = layouts[LAYOUTS[0]][-1]
    an_order = largest["index_bytes"] / largest["orders"]
    yield (
        f"\nPostgreSQL had {_size(buffers)} of `shared_buffers`. At {FAR:,} orders the indexes of these tables would "
        f"take {_size(an_order * FAR)}. Current work uses only their end, because keys begin with a timestamp. Only "
        "queries about old orders read the rest.\n"
    )


def _month(month: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    whole, partitioned = (month[layout] for layout in LAYOUTS)
    yield (
        f"Removing a month of messages and deliveries took {whole['seconds']:.2f} s by DELETE and VACUUM "
        f"({whole['rows']:,.0f} rows), and {partitioned['seconds']:.2f} s by detaching and dropping its partitions "
        f"({partitioned['rows']:,.0f} rows).\n"
    )


def _size(size: float) -> str:
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size / 2**10:,.1f} KiB"
