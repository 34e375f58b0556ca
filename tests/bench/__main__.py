"""`python -m tests.bench` measures the rows of the table beside their baselines, and writes docs/performance.md.

It brings servers of its own for each row and ends only what it started.
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
from tests.bench.history import NoRoom
from tests.bench.peers import PeerNotToBeHad
from tests.bench.rows import ROWS, SECTIONS, Row
from tests.bench.stage import SHORT, WHOLE, Scale, Stage
from tests.chaos.servers import MissingServer

UNASKED = [*(name for name in ROWS if name != "j"), *SECTIONS]
"""What is measured unless something else is asked for: a peer needs an environment of its own."""


def parse() -> argparse.Namespace:
    """Which rows, and how much of each."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", type=_rows, default=UNASKED, metavar="a,b", help="these rows")
    parser.add_argument("--short", action="store_true", help="see that it runs; the figures are none, and not kept")
    parser.add_argument("--rounds", type=_whole, help="how often each side is measured")
    parser.add_argument("--orders", type=_whole, help="in a round of a, f, g, h and j")
    parser.add_argument("--history", type=_whole, help="orders in the past of row f; 2 million without")
    parser.add_argument("--memory", type=_pair, metavar="N,M", help="after how many orders row k looks; 5000,50000")
    sizes = "orders at which growth looks; 100000,300000,1000000"
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
    """The usual amounts, but those that were asked for."""
    asked = {name: getattr(options, name) for name in ("rounds", "orders", "history", "memory", "growth")}
    return (SHORT if options.short else WHOLE)._replace(**{name: n for name, n in asked.items() if n})


def measure(name: str, stage: Stage) -> dict[str, Any]:
    """A row's report, or a section's."""
    began, of_run = time.monotonic(), report.run()
    measured = SECTIONS[name].measure(stage) if name in SECTIONS else _measure_row(ROWS[name], stage)
    return {**measured, "run": of_run, "seconds": round(time.monotonic() - began)}


def _measure_row(row: Row, stage: Stage) -> dict[str, Any]:
    pairs, n = row.measure(stage)
    figures = [
        {**pair.told(f"{row.what}{': ' if name else ''}{name}", row.unit, row.goal), "baseline": row.baseline}
        for name, pair in pairs.items()
    ]
    return {"figures": figures, "n": n}


def measure_all(options: argparse.Namespace) -> dict[str, Any]:
    """All rows that were asked for: each on servers of its own, or, in short, those that need any on the same."""
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
                report.keep(name, found[name])
                ratios = [round(figure["ratio"], 2) for figure in found[name].get("figures", ())]
                print(f"{name}: {ratios or found[name]['n']}", file=sys.stderr)
    return found


def main() -> int:
    """Measure; 1 when what was asked for could not be measured."""
    options = parse()
    # Whoever stops it, as a terminal or as a process manager does, has it end what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        found = measure_all(options)
    except (PeerNotToBeHad, MissingServer, NoRoom) as missing:
        print(missing, file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    if not options.short:
        tellers = {name: section.publish_all for name, section in SECTIONS.items()}
        print(f"Written: {report.write_page(tellers)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
