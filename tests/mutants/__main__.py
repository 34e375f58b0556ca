"""`python -m tests.mutants` plants small faults in the code, one at a time, and counts how many the tests catch.

The sample is drawn from a seed. Results are stored, so that an interrupted run goes on where it stopped as long as the
mutated code is the same. `--again` tries its survivors once more, with new tests. `--keep` stores the report for
docs/proofs.md.
"""

import argparse
import json
import sys
from collections import Counter
from typing import Any
from zlib import crc32

from tests.chaos import report
from tests.mutants.changes import changed_lines
from tests.mutants.explained import EXPLAINED
from tests.mutants.results import LONGEST_TRIAL, Verdict
from tests.mutants.sample import ROOT, Mutant, draw
from tests.mutants.trial import Trials
from tests.quick import ALWAYS, CannotCompare, select_tests

ENOUGH = 0.95
"""The share of mutants that must be caught or explained."""
LONGEST = "seconds that the tests of one mutant use the processor without it, at most; those likely to fail run first"


def parse() -> argparse.Namespace:
    """The command line: how many mutants of what."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=500, metavar="N", help="how many mutants (default: 500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="mutate only files whose path begins with this")
    parser.add_argument("--changed", action="store_true", help="mutate only lines that changed since main")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="how many mutants are tried at a time")
    parser.add_argument("--again", action="store_true", help="try the survivors of the last run of this code once more")
    parser.add_argument("--longest", type=float, default=LONGEST_TRIAL, metavar="S", help=LONGEST)
    parser.add_argument(
        "--enough", type=float, default=ENOUGH, metavar="SHARE", help="what must be caught or explained"
    )
    parser.add_argument("--keep", action="store_true", help="store the report for docs/proofs.md")
    return parser.parse_args()


def main() -> int:
    """Try the mutants and print the report; returns 1 if too few are caught, 2 if the changed files are unknown."""
    options, among, tests = parse(), None, []
    if options.changed:
        try:
            among, commit = changed_lines(ROOT)
        except CannotCompare as reason:
            print(reason, file=sys.stderr)
            return 2
    mutants = [each for each in draw(options.sample, options.seed, among) if each.path.startswith(options.only)]
    if options.changed:
        tests = sorted(set(select_tests({mutant.path for mutant in mutants}, ROOT)).difference(ALWAYS))
        print(f"{len(mutants)} mutants of {sum(map(len, among.values()))} lines that changed since {commit}")
    results = report.unfinished(f"mutants {crc32(repr(mutants).encode()):08x}", without="tests")
    trials = Trials(mutants, results, options.processes, tests, again=options.again, longest=options.longest)
    found = report_of(trials.try_all(), options.enough)
    print(json.dumps(found, indent=2))
    if options.keep:
        report.keep("mutants", found)
    return 1 if found["violations"] else 0


def report_of(verdicts: dict[Mutant, Verdict], share: float = ENOUGH) -> dict[str, Any]:
    """The report: by package how many were tried and caught, and each survivor with its line and reason."""
    tried, caught = Counter[str](), Counter[str]()
    survivors = {}
    for mutant, verdict in verdicts.items():
        package = mutant.path.partition("/")[0]
        tried[package] += 1
        caught[package] += verdict.caught
        if not verdict.caught:
            line = (ROOT / mutant.path).read_text(encoding="utf-8").splitlines()[mutant.line - 1].strip()
            because = EXPLAINED.get((mutant.path, line), "")
            survivors[mutant.key] = {"line": line, "because": because, "reached": verdict.reached}
    unexplained = [key for key, survivor in survivors.items() if not survivor["because"]]
    enough = len(verdicts) - len(unexplained) >= share * len(verdicts)
    return {
        "mutants": {package: [caught[package], number] for package, number in sorted(tried.items())},
        "survivors": survivors,
        "seconds": round(sum(verdict.seconds for verdict in verdicts.values())),
        "violations": [] if enough else unexplained,
    }


if __name__ == "__main__":
    sys.exit(main())
