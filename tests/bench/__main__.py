"""`python -m tests.bench` measures each row of the table and its baseline, and writes docs/performance.md.

Each row gets its own PostgreSQL and Redis servers. The program stops only processes that it started.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.history import NotEnoughDisk
from tests.bench.peers import PeerNotInstalled
from tests.bench.rows import ROWS, SECTIONS, Row
from tests.bench.stage import SHORT, WHOLE, Scale, Stage
from tests.chaos.servers import MissingServer

BY_DEFAULT = [*(name for name in ROWS if name != "j"), *SECTIONS]
"""The rows and sections measured without `--only`. Row j is left out because it needs its own environment."""


def parse() -> argparse.Namespace:
    """Parse the command line: which rows to measure, and how much work each round does."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", type=_rows, default=BY_DEFAULT, metavar="a,b", help="measure only these rows and sections"
    )
    parser.add_argument("--short", action="store_true", help="only check that it runs; store no figures")
    parser.add_argument("--rounds", type=_whole, help="how many rounds to measure each side")
    parser.add_argument("--orders", type=_whole, help="orders in a round of rows a, f, g, h, j and l")
    parser.add_argument("--history", type=_whole, help="orders in the history of row f (default: 2 million)")
    parser.add_argument(
        "--memory", type=_pair, metavar="N,M", help="orders after which row k reads memory (default: 5000,50000)"
    )
    sizes = "numbers of orders at which growth measures (default: 100000,300000,1000000)"
    parser.add_argument("--growth", type=_sizes, metavar="N,M,…", help=sizes)
    return parser.parse_args()


def _rows(text: str) -> list[str]:
    rows = text.split(",")
    if unknown := [row for row in rows if row not in {**ROWS, **SECTIONS}]:
        known = ", ".join([*ROWS, *SECTIONS])
        raise argparse.ArgumentTypeError(f"there is no row {', '.join(unknown)}: they are {known}")
    return rows


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _sizes(text: str) -> tuple[int, ...]:
    sizes = text.split(",")
    if not all(size.isdecimal() and int(size) for size in sizes) or sorted(map(int, sizes)) != [*map(int, sizes)]:
        raise argparse.ArgumentTypeError(f"{text!r} is not whole numbers, the smallest first")
    return tuple(map(int, sizes))


def _pair(text: str) -> tuple[int, int]:
    few, _, many = text.partition(",")
    if not few.isdecimal() or not many.isdecimal() or not 0 < int(few) < int(many):
        raise argparse.ArgumentTypeError(f"{text!r} is not two whole numbers, the smaller first")
    return int(few), int(many)


def scale_of(options: argparse.Namespace) -> Scale:
    """Return the default scale with the values given on the command line."""
    asked = {name: getattr(options, name) for name in ("rounds", "orders", "history", "memory", "growth")}
    return (SHORT if options.short else WHOLE)._replace(**{name: n for name, n in asked.items() if n})


def measure(name: str, stage: Stage) -> dict[str, Any]:
    """Measure a row or a section; returns its report with the run's environment and duration."""
    began, of_run = time.monotonic(), report.run()
    measured = SECTIONS[name].measure(stage) if name in SECTIONS else _measure_row(ROWS[name], stage)
    return {**measured, "run": of_run, "seconds": round(time.monotonic() - began)}


def _measure_row(row: Row, stage: Stage) -> dict[str, Any]:
    pairs, n = row.measure(stage)
    figures = [
        {**pair.as_report(f"{row.what}{': ' if name else ''}{name}", row.unit, row.goal), "baseline": row.baseline}
        for name, pair in pairs.items()
    ]
    return {"figures": figures, "n": n}


def measure_all(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all requested rows; returns their reports by name.

    Each row gets its own servers. With `--short`, all rows that need servers share one set.
    """
    scale, found = scale_of(options), {}
    with ExitStack() as ends:
        folder = Path(tempfile.mkdtemp(prefix="waybill-bench-"))
        folder.chmod(0o755)
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        shared: Stage | None = None
        for name in options.only:
            servers = name in SECTIONS or ROWS[name].servers
            if options.short and servers:
                shared = shared or ends.enter_context(Stage(folder / "shared", scale, short=True))
                found[name] = measure(name, shared)
                continue
            with Stage(folder / name, scale, short=options.short, servers=servers) as stage:
                found[name] = measure(name, stage)
            if not options.short:
                report.store(name, found[name])
                ratios = [round(figure["ratio"], 2) for figure in found[name].get("figures", ())]
                print(f"{name}: {ratios or found[name]['n']}", file=sys.stderr)
    return found


def main() -> int:
    """Measure and print the reports; returns 1 if something that was requested could not be measured."""
    options = parse()
    # Exit by an exception, so that the context managers stop the servers and programs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        found = measure_all(options)
    except (PeerNotInstalled, MissingServer, NotEnoughDisk) as missing:
        print(missing, file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    if not options.short:
        renderers = {name: section.render for name, section in SECTIONS.items()}
        print(f"Written: {report.write_page(renderers)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
