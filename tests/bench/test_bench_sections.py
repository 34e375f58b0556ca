"""The calculated sections of the page are right for simple figures, which a reader can check by hand."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.bench import capacity, clocks, growth, profile
from tests.bench.history import NotEnoughDisk

AN_ORDER = {
    **{"web": 10.0, "placers": 0.0, "worker": 20.0, "beat": 0.5, "PostgreSQL": 5.0, "Redis": 1.0},
    **{"commits": 7.0, "wal": 4096.0, "table": 1024.0, "index": 2048.0},
}
MEASURED = {"an_order": {"REST": AN_ORDER, "command": AN_ORDER}, "flushes": {"1": 100.0, "32": 500.0}}


def test_the_capacity_of_each_resource_is_calculated_from_the_cost_of_an_order() -> None:
    limits = capacity.limits(MEASURED)
    assert limits["one core of web"] == pytest.approx(70)  # 0.7 of a second, 10 ms each
    assert limits["one core of worker"] == pytest.approx(35)
    assert limits["one PostgreSQL, by its 32 cores"] == pytest.approx(140 * 32)
    assert limits["one PostgreSQL, by what its disk confirms"] == pytest.approx(50)
    assert limits["one Redis, which has one core"] == pytest.approx(700)


def test_the_page_says_which_limit_comes_first_and_what_to_add() -> None:
    page = "\n".join(capacity.render(MEASURED))
    assert "add the first core for worker, and the next for web" in page
    assert (
        "one PostgreSQL, by what its disk confirms, at 50 orders/s; then one Redis, which has one core, at 700" in page
    )
    assert "Each core of the web needs 2.0 cores of workers and 0.5 of PostgreSQL" in page
    # 70 orders/s need one core of the web, with 8 connections, and two of workers, with one each.
    assert f"is needed from {300 / 10 * 70:,.0f} orders/s" in page
    assert "| 100 | 1.4 | 2.9 | 0.7 | 10.0% | 700 | 0.4 MiB/s | 24.7 GiB | 15 |" in page
    assert "100 commits/s to one connection and 500 to 32 at once" in page


def test_the_page_says_what_helps_if_redis_reaches_its_limit_first() -> None:
    busy = {**AN_ORDER, "Redis": 100.0}
    page = "\n".join(capacity.render({**MEASURED, "an_order": {"REST": busy, "command": busy}}))
    assert "**: one Redis, which has one core, at 7.0 orders/s" in page
    assert "a Redis of its own" in page


def test_the_cpu_time_of_a_process_includes_ended_children() -> None:
    spin = "import time\nwhile time.process_time() < 0.2: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}]); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert clocks.cpu_of_all(parent.pid) >= 0.2 - 2 / clocks.TICKS
        assert clocks.cpu_of_all(parent.pid) < 2
        parent.communicate(b"\n")
    assert clocks.cpu_of_all(parent.pid) == 0.0


def test_the_cpu_time_of_an_almost_idle_process_is_less_than_a_few_ticks_but_not_zero() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as idle:
        assert idle.stdin is not None
        assert idle.stdout is not None
        idle.stdin.write(b"so that it has begun\n")
        idle.stdout.readline()
        assert 0 < clocks.cpu_of_all(idle.pid) < 1 / clocks.TICKS * 10
        idle.communicate(b"")


def grown(**ms: float) -> list[dict[str, Any]]:
    """Return the points of two sizes; each operation takes `at_first` and `at_last` milliseconds."""
    return [
        {
            "orders": n,
            "ms": dict.fromkeys(growth.WHAT, times),
            "smallest": dict.fromkeys(growth.WHAT, 2.0),
            "table_bytes": n * 4096,
            "index_bytes": n * 2048,
        }
        for n, times in ((1_000, ms["at_first"]), (100_000, ms["at_last"]))
    ]


def test_the_page_compares_each_size_with_the_smallest_and_marks_what_is_extrapolated() -> None:
    page = "\n".join(
        growth.render(
            {
                "layouts": {
                    "as they are": grown(at_first=2.0, at_last=4.0),
                    "by month": grown(at_first=3.0, at_last=3.0),
                },
                "month": {
                    "as they are": {"rows": 1_000, "seconds": 8.0},
                    "by month": {"rows": 1_000, "seconds": 0.5},
                },
                "shared_buffers": 100 * 2**20,
            }
        )
    )
    # The ratio grows by 1 over two orders of magnitude, so by 1.5 over the next three.
    assert "| look up the history of one order | as they are | 2.00 (1.00) | 4.00 (2.00) | (3.50) |" in page
    assert "| look up the history of one order | by month | 3.00 (1.50) | 3.00 (1.50) | (1.50) |" in page
    assert "**not measured**" in page
    assert "| 100,000 | as they are | 390.6 MiB | 195.3 MiB | 2.0 KiB | 2.0 times |" in page
    assert "8.00 s by DELETE and VACUUM (1,000 rows), and 0.50 s by detaching" in page


def test_more_orders_than_fit_on_the_disk_are_refused_before_anything_is_created(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughDisk, match=r"100,000,000 orders in both layouts take [\d,]+ GiB.*see --growth"):
        growth.check_disk_space(SimpleNamespace(folder=tmp_path), 100_000_000)  # type: ignore[arg-type]


@pytest.mark.parametrize(("months", "back"), [(0, 0), (1, 1), (30, 30)])
def test_months_are_counted_back_from_the_current_one(months: int, back: int) -> None:
    now, then = growth.months_ago(0), growth.months_ago(months)
    assert (now.year - then.year) * 12 + now.month - then.month == back
    assert then.day == 1


def test_the_page_compares_the_time_of_an_order_with_the_chain_and_says_where_it_goes() -> None:
    parts = ("placing", "reactions", "read models")
    page = "\n".join(
        profile.render(
            {
                "took": {part: {"Python": 2.0, "PostgreSQL": 1.0} for part in parts},
                "chain": {"Python": 2.0, "PostgreSQL": 1.0},
                "seen": {"django": 0.75, "integration/domain": 0.245, "redis": 0.005},
                "rows": {"ours": 60.0, "chain": 5.0},
                "flushes": 500.0,
                "line of a large order": {"rows": 5.0, "Python": 0.15, "PostgreSQL": 0.1},
                "embedded": {
                    "took": {part: {"Python": 0.5} for part in parts},
                    "chain": {"Python": 0.75},
                    "seen": {"django": 1.0},
                },
                "event": {
                    **{"all": 2.5, "dispatch": 0.25, "signal": 3.5},
                    **{"its id": 0.4, "its moment": 0.2, "the fact": 0.1},
                },
            }
        )
    )
    assert "| placing | 2.00 | 1.00 | 3.00 | |" in page
    assert "| **total** | 6.00 | 3.00 | 9.00 | 60 |" in page
    assert "| `django` | `integration/domain` | elsewhere |" in page
    assert "can reach about 0.33" in page
    assert "takes 3.0 times the CPU time of the chain, and adds 12.0 times the rows" in page
    assert "A row takes 0.15 ms; a row of the chain takes 0.60" in page
    assert "| 0.50 | 0.50 | 0.50 | 1.50 | 0.75 |" in page
    assert "**Row h** can reach about 12.0 by these figures: a line of an order of 3 takes 3.00 ms" in page
    assert "one of 300 takes 0.250 (0.150 of Python, 0.100 of PostgreSQL)" in page
    assert "it would have to take 0.300" in page
    assert "Each line adds 5.0 rows" in page
    assert "A row of a large order takes 0.050 ms, one of a small order 0.150" in page
    assert "**Row i** can reach about 0.50 by these figures" in page
    assert "A row takes 0.025 ms, one of the chain 0.150, and an order adds 12 times the rows" in page
    assert "an event takes 2.50 µs, 0.25 of them for the dispatch. A signal takes 3.50" in page
    assert "would have to take 0.70. But its ID takes 0.40, its timestamp 0.20, the event object 0.10, and" in page
    assert "At 9.0 ms per order it is five times as fast as django-oscar if one `place_order` takes 45 ms" in page
    assert "23 statements and 9 commits. 5 commits wait for the disk, 2.0 ms each" in page
