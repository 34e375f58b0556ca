"""Whether the tests catch a mutant.

A process collects all fast tests and creates the database. Its forks first find out which tests reach which lines, and
how long each test takes. Then a fork for each mutant gives the mutated functions their new code, and runs the tests
that reach the line until one fails.

What survives so, and each mutant of a line that runs at import, is tried afresh: by a process that imports the mutant.
If DATABASE_URL names a PostgreSQL, what survives both is tried afresh on it, with its tests for PostgreSQL only.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

import pytest

from tests.mutants.afresh import Afresh
from tests.mutants.collected import Collected
from tests.mutants.in_place import ImportsInstead
from tests.mutants.results import Results, Verdict
from tests.mutants.running import IGNORED, OPTIONS, Runner, in_forks
from tests.mutants.sample import ROOT, Mutant
from tests.quick import ALWAYS, select_tests

PASSED = {0, 5}
"""Exit codes of pytest: all tests passed, or none was selected."""


SERVERS = ("DATABASE_URL", "CELERY_BROKER_URL")
"""What names the servers of the tests. Without them they run on SQLite and in the process."""


class Trials(Results):
    """The trials of a sample.

    Args:
        mutants, file, options: see `Results`.
        processes: how many mutants are tried at a time.
        tests: the files and folders of the tests that run; all without.
    """

    def __init__(
        self, mutants: list[Mutant], file: Path, processes: int, tests: Iterable[str] = (), **options: Any
    ) -> None:
        super().__init__(mutants, file, **options)
        self.processes, self.tests = processes, list(tests) or ["tests"]

    def try_all(self) -> dict[Mutant, Verdict]:
        """Try each mutant that is left; returns the verdicts of all. Raises SystemExit if the tests cannot run."""
        if self.left:
            with tempfile.TemporaryDirectory(prefix="waybill-mutants-") as folder:
                in_forks([partial(self._in_pytest, Path(folder), Collected(self, self.processes), *self.tests)], 1)
                if not self.database.exists():
                    raise SystemExit(f"The tests cannot be collected; see {self.log}")
                in_forks((partial(self._afresh, Path(folder), each) for each in self._survivors()), self.processes)
                if os.environ.get("DATABASE_URL", "").startswith("postgres"):
                    in_forks((partial(self._afresh, Path(folder), each, True) for each in self._survivors()), 1)
        known = self.verdicts()
        if missing := [mutant.key for mutant in self.mutants if mutant.key not in known]:
            raise SystemExit(f"No verdict: {missing}; see {self.log}")
        return {mutant: known[mutant.key] for mutant in self.mutants}

    def _survivors(self) -> Iterator[Mutant]:
        known = self.verdicts()
        return (each for each in self.left if each.key not in known or not known[each.key].caught)

    def _in_pytest(self, folder: Path, plugin: Runner, *arguments: str, keeps: Iterable[str] = ()) -> int:
        """Run pytest with a plugin in this process, with its output in the log; returns its exit code."""
        for name in {"CI", "DJANGO_SETTINGS_MODULE", "HYPOTHESIS_PROFILE", *SERVERS}.difference(keeps):
            os.environ.pop(name, None)
        base = tempfile.mkdtemp(dir=folder)
        os.environ["WAYBILL_VAR"] = f"{base}/var"
        with self.log.open("a") as log, redirect_stdout(log):
            ignored = [f"--ignore={test}" for test in IGNORED]
            return pytest.main([*OPTIONS, *ignored, f"--basetemp={base}/tmp", *arguments], [plugin])

    def _afresh(self, folder: Path, mutant: Mutant, on_postgresql: bool = False) -> None:
        """Import a mutant in this process, and run its tests until one fails; by itself on SQLite."""
        began, runs = monotonic(), self.runs()
        names = self.tests_of(mutant, runs, whole_file=True)
        path = ROOT / mutant.path
        files = list(dict.fromkeys(name.partition("::")[0] for name in names)) or ALWAYS
        if on_postgresql:
            files += ["--reuse-db", *set(select_tests([mutant.path], ROOT)).difference(ALWAYS)]

        def store(by: str) -> None:
            by += " on PostgreSQL" if by and on_postgresql else ""
            self.store(mutant, Verdict(bool(by), by, round(monotonic() - began, 1), True, len(names)))

        def late(name: str) -> NoReturn:
            store(f"{name} hangs")
            os._exit(0)

        ImportsInstead(path, mutant.of(path.read_text(encoding="utf-8"))).install()
        database = None if on_postgresql else self.database
        plugin = Afresh(names, database, lambda name: runs[name].seconds if name in runs else 1.0, late)
        try:
            code = self._in_pytest(folder, plugin, *files, keeps=SERVERS if on_postgresql else ())
        except Exception as error:
            store(type(error).__name__)
        else:
            store(plugin.by or (f"exit code {code}" if code not in PASSED else ""))
