"""Tries mutants of functions in forks of a process that has imported everything and collected all fast tests."""

import gc
import os
from collections import defaultdict
from collections.abc import Generator
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

import pytest

from tests.mutants.in_place import first_lines_of_functions, functions_below, probe_with, put_in_place, with_probes
from tests.mutants.results import Results, Run, Verdict
from tests.mutants.running import Runner, append, first_failing, in_forks, passes, processor_seconds, stored, time_limit
from tests.mutants.sample import ROOT, Mutant

LONGEST_TEST = 15.0
"""A test that uses the processor for more seconds than this is not run."""


class Collected(Runner):
    """Collects all tests, finds out what they reach, and tries mutants of functions."""

    def __init__(self, results: Results, processes: int) -> None:
        self.results, self.processes, self.items = results, processes, dict[str, pytest.Item]()
        self.reached, self.shared = set[tuple[str, int]](), defaultdict[str, set[tuple[str, int]]](set)

    @pytest.fixture(scope="session", autouse=True)
    def database(self, django_db_setup: None) -> None:
        """Create the database before the first test, whether that needs it or not."""

    def run(self, items: list[pytest.Item], not_collected: int) -> None:
        if not_collected:
            return
        self.items = {item.nodeid: item for item in items}
        _create_database(items, self.results.database)
        for path in {mutant.path for mutant in self.results.mutants}:
            import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))  # commands come late
        self.functions = functions_below(ROOT)
        gc.freeze()  # so that forks share the memory
        in_forks([self._probe_all], 1)
        runs = {name: run for name, run in self.results.runs().items() if name in self.items}
        trials = (partial(self._try, mutant, runs) for mutant in self.results.left)
        in_forks(trials, self.processes)
        verdicts = self.results.verdicts()
        caught_by = {verdicts[mutant.key].by for mutant in self.results.left if mutant.key in verdicts}
        in_forks((partial(self._control, name) for name in caught_by.intersection(runs)), self.processes)

    def _probe_all(self) -> None:
        """Put probes in place, and run the tests of which nothing is known."""
        for path, lines in _lines_to_probe(self.results.mutants).items():
            code = (ROOT / path).read_text(encoding="utf-8")
            put_in_place(self.functions, ROOT / path, with_probes(code, path, lines)[0])
        known, unknown = {name for name, _ in stored(self.results.runs_file)}, defaultdict(list)
        for item in self.items.values():
            if item.nodeid not in known:
                unknown[item.path].append(item)
        in_forks((partial(self._probe, items) for items in unknown.values()), self.processes)

    def _probe(self, items: list[pytest.Item]) -> None:
        """Run tests without a mutant, and store how long each takes and what it reaches."""
        probe_with(lambda path, line: self.reached.add((path, line)))
        for item, after in zip(items, [*items[1:], None], strict=True):
            self.reached.clear()
            began = processor_seconds()
            with time_limit(LONGEST_TEST, lambda: pytest.fail("takes too long")):
                passed = passes(item, after)
            seconds, lines = round(processor_seconds() - began, 3), defaultdict(list)
            for path, line in self.reached.union(*map(self.shared.__getitem__, getattr(item, "fixturenames", ()))):
                lines[path].append(line)
            append(self.results.runs_file, [item.nodeid, Run(seconds, lines) if passed else None])

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, Any]:
        """Note the lines that the set-up of a fixture reaches if several tests share it: each of them reaches them."""
        before = self.reached.copy()
        self.reached.clear()
        result = yield
        if fixturedef.scope != "function":
            self.shared[fixturedef.argname] |= self.reached
        self.reached |= before
        return result

    def _control(self, name: str) -> None:
        """Withdraw what a test has caught if it fails without a mutant, too, when it runs alone."""
        if not passes(self.items[name], None):
            append(self.results.runs_file, [name, None])
            for mutant in self.results.left:
                verdict = self.results.verdicts().get(mutant.key)
                if verdict and verdict.by == name:
                    self.results.store(mutant, verdict._replace(caught=False, by=""))

    def _try(self, mutant: Mutant, runs: dict[str, Run]) -> None:
        """Give the functions of this process the code of the mutant, and run its tests until one fails."""
        began, names = monotonic(), self.results.tests_of(mutant, runs)
        if not names:
            return

        def store(by: str) -> None:
            self.results.store(mutant, Verdict(bool(by), by, round(monotonic() - began, 1), False, len(names)))

        def late(name: str) -> NoReturn:
            store(f"{name} hangs")
            os._exit(0)

        path = ROOT / mutant.path
        put_in_place(self.functions, path, mutant.of(path.read_text(encoding="utf-8")))
        store(first_failing([self.items[name] for name in names], lambda name: runs[name].seconds, late))


def _lines_to_probe(mutants: list[Mutant]) -> dict[str, set[int]]:
    """The lines of the mutants by file, and the first line of each function in these files."""
    lines: dict[str, set[int]] = defaultdict(set)
    for mutant in mutants:
        lines[mutant.path].add(mutant.line)
    for path in lines:
        lines[path] |= first_lines_of_functions((ROOT / path).read_text(encoding="utf-8"))
    return lines


def _create_database(items: list[pytest.Item], copy: Path) -> None:
    """Run a test, so that forks have the database and the folder for temporary files, and store the empty database."""
    from django.db import connection

    passes(items[0], items[-1])
    items[0].config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    copy.write_bytes(connection.connection.serialize() if connection.connection else b"")  # no test may need it
