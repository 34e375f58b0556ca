"""Stores the report of each row in `var/bench`, and writes `docs/performance.md` from all stored reports."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.revision import revision
from tests.system.running_system import ROOT

REPORTS = ROOT / "var" / "bench"
PAGE = ROOT / "docs" / "performance.md"
HEAD = """# How fast it is

`make bench` writes this page from real runs; it is not edited by hand. Waybill runs with every guarantee on: history,
deliveries, idempotency, real workers, and durable PostgreSQL and Redis. Each baseline is a program in
`tests/bench/baselines/` that does the same work without any guarantee.

"""
HOW_TO_READ = """
## How to read it

* **Compare ratios, not figures.** Figures depend on the machine. Both sides of a row were measured in one run, on one
  machine, alternately (ours, baseline, ours, baseline, …), after a warm-up of each that does not count. The ratio is
  that of the medians, ours to the baseline's. In brackets are the smallest and the largest ratio of a round. The
  columns *ours* and *baseline* show the median, and the smallest and the largest of the rounds.
* **Load** is the machine's load average when the row began. A load above 1 means other processes were running; treat
  the row with care.
* Goals are shown as they were set, met or not.
* Both sides begin with 1,000 earlier orders, and with tables that PostgreSQL has vacuumed and analyzed, as autovacuum
  does within a minute or so. The baseline of f begins with the same.
* a, g, h, f: two processes place orders while a worker with two processes, and beat, do the rest. The clock stops when
  no delivery is pending and every order has its shipment. The bare chain runs only the four transactions, and arranges
  no shipment. While a baseline runs, Waybill's processes are idle and stopped (SIGSTOP).
* b: all events are pending when the worker starts; the time until all are done is measured.
* c: each order has a token and an `Idempotency-Key`; the bare view checks neither. Two of gunicorn's processes with
  eight threads serve each; in ours waitress handles the connections. The workers are stopped meanwhile, because row a
  measures them.
* d: ours is the time from the commit of placing until another connection sees the order confirmed. The baseline is the
  time from sending the first task until the last reports through Redis. Orders have 3 lines and come one at a time.
* e: *the dispatch alone* leaves out the parts that make an event storable: ID, timestamp, version and cause. All events
  are dispatched in one unit of work, which checks once whether a transaction is open.
* f: the history is generated in the database from complete orders (`tests/bench/history.py`). PostgreSQL has its
  default settings, with 128 MB of shared buffers.
* h: the unit is lines per second.
* k: the proportional set size of the web's and the worker's processes.
* l: the bytes of PostgreSQL's log, and those by which all tables and indexes grow. Growth includes free space in pages.
"""


def store(name: str, report: dict[str, Any]) -> None:
    """Store a row's report."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / f"{name}.json").write_text(json.dumps(report, indent=2))


def write_page(sections: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]]) -> Path:
    """Write the page from all stored reports.

    Args:
        sections: functions that render the reports that are no rows of the table, by the report's name.

    Returns:
        The page's path.
    """
    reports = {path.stem: json.loads(path.read_text()) for path in sorted(REPORTS.glob("?.json"))}
    parts = [HEAD + "\n".join(_lines(reports)) + "\n" + HOW_TO_READ]
    for name, render in sections.items():
        if (path := REPORTS / f"{name}.json").exists():
            stored = json.loads(path.read_text())
            parts.append("\n".join([*render(stored), _of_run(stored)]) + "\n")
    PAGE.write_text("\n".join(parts))
    return PAGE


def _of_run(report: dict[str, Any]) -> str:
    of_run = report["run"]
    where = f"{of_run['machine']}, load {of_run['load']}"
    return f"\nMeasured {of_run['at']} at {of_run['commit']}: {report['n']}. {where}."


def run() -> dict[str, str]:
    """Return the time, the commit, the machine and its load."""

    def said(*command: str) -> str:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": revision(),
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"
        + (f", {said('postgres', '--version').removeprefix('postgres ')}" if shutil.which("postgres") else ""),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def _lines(reports: dict[str, Any]) -> Iterator[str]:
    head = ["", "what", "baseline", "goal", "ratio", "", "ours", "baseline", "unit"]
    yield "| " + " | ".join(head) + " |"
    yield "|---|---|---|---|---|---|--:|--:|---|"
    for name, report in reports.items():
        for figure in report["figures"]:
            yield "| " + " | ".join([name, *_figure(figure)]) + " |"
    yield "\n| | work in a round | rounds | when | commit | machine | load |\n|---|---|--:|---|---|---|--:|"
    for name, report in reports.items():
        rounds = len(report["figures"][0]["rounds"]["ours"])
        of_run = report["run"]
        cells = [name, report["n"], str(rounds), of_run["at"], of_run["commit"], of_run["machine"], of_run["load"]]
        yield "| " + " | ".join(cells) + " |"
    missing = [row for row in "abcdefghijkl" if row not in reports]
    if missing:
        yield f"\nNot measured: {', '.join(missing)}."


def _figure(figure: dict[str, Any]) -> list[str]:
    low, high = figure["ratios"]
    return [
        figure["what"],
        figure["baseline"],
        figure["goal"],
        f"**{figure['ratio']:.2f}** ({low:.2f}–{high:.2f})",
        "met" if figure["met"] else "**not met**",
        *(_side(figure["medians"][side], figure["rounds"][side]) for side in ("ours", "baseline")),
        figure["unit"],
    ]


def _side(median: float, rounds: list[float]) -> str:
    if len(rounds) == 1:
        return _number(median)
    return f"{_number(median)} ({_number(min(rounds))}–{_number(max(rounds))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
