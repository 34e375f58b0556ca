"""What is known about the tests and the mutants of a sample, stored in files as soon as it is known."""

import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.mutants.running import append, stored
from tests.mutants.sample import ROOT, Mutant
from tests.quick import ALWAYS, select_tests

LONGEST_TRIAL = 40.0
"""Seconds that the tests of one mutant use the processor together at most, without it."""


class Verdict(NamedTuple):
    """What became of a mutant.

    Args:
        caught: whether a test failed or hung.
        by: the test that failed first, or a few words.
        seconds: how long it took.
        afresh: whether a process imported the mutant.
        reached: how many tests reach the line, or its file if it runs at import.
    """

    caught: bool
    by: str
    seconds: float
    afresh: bool
    reached: int


class Run(NamedTuple):
    """A test that passed without a mutant.

    Args:
        seconds: how long it used the processor.
        reached: the lines with probes that it reached, by file.
    """

    seconds: float
    reached: dict[str, list[int]]


class Results:
    """The results of a sample.

    Args:
        mutants: the sample.
        file: a file for the verdicts. Those that it holds count. Files of the same name hold what else is stored.
        again: whether the survivors are tried once more, because there are new tests.
        longest: seconds that the tests of one mutant use the processor together at most, without it.
    """

    def __init__(
        self, mutants: list[Mutant], file: Path, *, again: bool = False, longest: float = LONGEST_TRIAL
    ) -> None:
        self.mutants, self.file, self.longest = mutants, file, longest
        self.runs_file = file.with_suffix(".tests")
        self.database = file.with_suffix(".database")
        self.log = file.with_suffix(".log")
        final = {key for key, verdict in self.verdicts().items() if verdict.caught or (verdict.afresh and not again)}
        self.left = [mutant for mutant in mutants if mutant.key not in final]

    def verdicts(self) -> dict[str, Verdict]:
        """The last verdict of each mutant by its key."""
        return {key: Verdict(*verdict) for key, verdict in stored(self.file)}

    def runs(self) -> dict[str, Run]:
        """What is known about each test that passes, by its name."""
        return {name: Run(*run) for name, run in stored(self.runs_file) if run}

    def tests_of(self, mutant: Mutant, runs: dict[str, Run], whole_file: bool = False) -> list[str]:
        """The tests that reach a mutant's line, the most likely to fail first, as long as they take together.

        With `whole_file`, then also those that reach any function of its file, or mirror it.
        """
        mirrored = tuple(test for test in select_tests([mutant.path], ROOT) if test not in ALWAYS)
        kills = Counter(verdict.by for key, verdict in self.verdicts().items() if key.startswith(f"{mutant.path}:"))

        def order(test: str) -> tuple[int, bool, bool, float]:
            reaches_line = mutant.line in runs[test].reached.get(mutant.path, ())
            return -kills[test], not reaches_line, not test.startswith(mirrored), runs[test].seconds

        found, seconds = [], 0.0
        for test in sorted(runs, key=order):
            lines = runs[test].reached.get(mutant.path, ())
            reaches = mutant.line in lines or (whole_file and (lines or test.startswith(mirrored)))
            if reaches and seconds < self.longest:
                found.append(test)
                seconds += runs[test].seconds
        return found

    def store(self, mutant: Mutant, verdict: Verdict) -> None:
        """Store a verdict, and print it."""
        append(self.file, [mutant.key, verdict])
        print(f"{mutant.key}: {verdict.by or '**survived**'} ({verdict.seconds} s)", file=sys.__stderr__, flush=True)
