"""What was measured is kept row by row, and all of it together is `docs/performance.md`."""

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

KEPT = ROOT / "var" / "bench"
PAGE = ROOT / "docs" / "performance.md"
HEAD = """# How fast it is

Written by `make bench`; the page is the output of real runs and is not edited by hand. Waybill runs with every
guarantee on: history, deliveries, idempotency, real workers, PostgreSQL and Redis with their durability on. Each
baseline is a program in `tests/bench/baselines/` that does the same without any.

"""
HOW_TO_READ = """
## How to read it

* **The ratio travels, the figures do not.** Both sides of a row were measured in one run, on one machine, in turn
  (ours, baseline, ours, baseline, …), after one of each that does not count. The ratio is that of the medians, ours to
  the baseline's; in brackets the smallest and the largest ratio of a round. Under *ours* and *baseline* stand the
  median, and the smallest and the largest of the rounds.
* **Load** is the machine's load average as the row began. Above about 1 somebody else was measured, too.
* Goals are shown as they were set, met or not.
* Both sides have 1,000 orders behind them as they begin, and PostgreSQL has looked at their tables since, as it does by
  itself within a minute or so. (The baseline of f is such a house, too.)
* a, g, h, f: two processes place orders while a worker of two processes, and beat, do the rest; the clock stops when
  nothing is left to be delivered and every order has its shipment. The bare chain does the four transactions only, and
  arranges no shipment. A house at rest is held still while its baseline runs.
* b: everything waits as the worker begins; what is timed is how long it takes to do it.
* c: orders come with a token and an `Idempotency-Key`; the bare view knows neither. Both are served by gunicorn's
  threads in two processes, and the workers behind are held still: what they do is row a.
* d: from the commit of placing until another connection sees the order confirmed, and from sending the first task
  until the last has told so through Redis. Orders of 3 lines, one at a time.
* e: *the dispatch alone* leaves out what makes an event one that can be kept: its id, moment, version, cause. All
  events are dispatched in one unit of work, which asks once whether a transaction is open.
* f: the past is made in the database from orders that went the whole way, see `tests/bench/history.py`; PostgreSQL
  has its defaults, 128 MB of shared buffers.
* h: per line: so many lines a second.
* k: proportional set size, of the processes of the web and of the worker.
"""


def keep(name: str, report: dict[str, Any]) -> None:
    """Keep a row's report."""
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(report, indent=2))


def write_page(sections: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]]) -> Path:
    """Make the page of all that is kept.

    Args:
        sections: by the name of a report that is no row of the table, how to tell it.

    Returns:
        Where it is.
    """
    reports = {path.stem: json.loads(path.read_text()) for path in sorted(KEPT.glob("?.json"))}
    told = [HEAD + "\n".join(_lines(reports)) + "\n" + HOW_TO_READ]
    for name, publish_all in sections.items():
        if (path := KEPT / f"{name}.json").exists():
            kept = json.loads(path.read_text())
            told.append("\n".join([*publish_all(kept), _of_run(kept)]) + "\n")
    PAGE.write_text("\n".join(told))
    return PAGE


def _of_run(report: dict[str, Any]) -> str:
    of_run = report["run"]
    where = f"{of_run['machine']}, load {of_run['load']}"
    return f"\nMeasured {of_run['at']} at {of_run['commit']}: {report['n']}. {where}."


def run() -> dict[str, str]:
    """The moment, the commit and the machine."""

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
    yield "\n| | in a round | rounds | when | commit | machine | load |\n|---|---|--:|---|---|---|--:|"
    for name, report in reports.items():
        rounds = len(report["figures"][0]["rounds"]["ours"])
        of_run = report["run"]
        cells = [name, report["n"], str(rounds), of_run["at"], of_run["commit"], of_run["machine"], of_run["load"]]
        yield "| " + " | ".join(cells) + " |"
    missing = [row for row in "abcdefghijk" if row not in reports]
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
