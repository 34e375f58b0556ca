"""`python -m tests.mutants` plants small faults in the code, one at a time, and counts how many the tests catch.

The sample is drawn from a seed. Results are stored, so that an interrupted run goes on where it stopped as long as the
code is the same. `--keep` stores the report for docs/proofs.md.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.chaos import report
from tests.mutants.explained import EXPLAINED
from tests.mutants.sample import ROOT, Mutant, draw
from tests.mutants.trial import Verdict, copy_project, failing_without_a_mutant, try_out
from tests.quick import CannotCompare, changed_files

ENOUGH = 0.95
"""The share of mutants that must be caught or explained."""


def parse() -> argparse.Namespace:
    """The command line: how many mutants of what."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=500, metavar="N", help="how many mutants (default: 500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="mutate only files whose path begins with this")
    parser.add_argument("--changed", action="store_true", help="mutate only files that changed since main")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="how many mutants are tried at a time")
    parser.add_argument("--keep", action="store_true", help="store the report for docs/proofs.md")
    return parser.parse_args()


def main() -> int:
    """Try the mutants and print the report; returns 1 if too few are caught, 2 if the changed files are unknown."""
    options, files = parse(), None
    if options.changed:
        try:
            files, _ = changed_files(ROOT)
        except CannotCompare as reason:
            print(reason, file=sys.stderr)
            return 2
    mutants = draw(options.sample, options.seed, files)
    mutants = [mutant for mutant in mutants if mutant.path.startswith(options.only)]
    found = report_of(try_all(mutants, options.processes, report.unfinished("mutants")))
    print(json.dumps(found, indent=2))
    if options.keep:
        report.keep("mutants", found)
    return 1 if found["violations"] else 0


def try_all(mutants: list[Mutant], processes: int, results: Path) -> dict[Mutant, Verdict]:
    """Try each mutant that has no result yet, each process in a copy of the project of its own."""
    lines = results.read_text().splitlines() if results.exists() else []
    known = {key: Verdict(*verdict) for key, verdict in map(json.loads, lines)}
    left = [mutant for mutant in mutants if mutant.key not in known]
    with tempfile.TemporaryDirectory(prefix="waybill-mutants-") as folder, ThreadPoolExecutor(processes) as pool:
        copies = SimpleQueue[Path]()
        for number in range(processes if left else 0):
            copies.put(copy_project(Path(folder) / str(number)))

        def attempt(mutant: Mutant) -> None:
            copy = copies.get()
            verdict = known[mutant.key] = try_out(mutant, copy)
            copies.put(copy)
            print(f"{mutant.key}: {verdict.by or '**survived**'} ({verdict.seconds} s)", file=sys.stderr, flush=True)
            with results.open("a") as file:
                file.write(json.dumps([mutant.key, verdict]) + "\n")

        list(pool.map(attempt, left))
        if left and (broken := failing_without_a_mutant(known.values(), copies.get())):
            results.unlink()
            raise SystemExit(f"{broken} fails without a mutant, too: mend it first.")
    return {mutant: known[mutant.key] for mutant in mutants}


def report_of(verdicts: dict[Mutant, Verdict]) -> dict[str, Any]:
    """The report: by package how many were tried and caught, and each survivor with its line and reason."""
    tried, caught = Counter[str](), Counter[str]()
    survivors = {}
    for mutant, verdict in verdicts.items():
        package = mutant.path.partition("/")[0]
        tried[package] += 1
        caught[package] += verdict.caught
        if not verdict.caught:
            line = (ROOT / mutant.path).read_text(encoding="utf-8").splitlines()[mutant.line - 1].strip()
            survivors[mutant.key] = {"line": line, "because": EXPLAINED.get((mutant.path, line), "")}
    unexplained = [key for key, survivor in survivors.items() if not survivor["because"]]
    enough = len(verdicts) - len(unexplained) >= ENOUGH * len(verdicts)
    return {
        "mutants": {package: [caught[package], number] for package, number in sorted(tried.items())},
        "survivors": survivors,
        "seconds": round(sum(verdict.seconds for verdict in verdicts.values())),
        "violations": [] if enough else unexplained,
    }


if __name__ == "__main__":
    sys.exit(main())
