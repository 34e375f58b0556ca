"""Whether the tests catch a mutant: they run in a copy of the project in which one file is mutated."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.mutants.sample import ROOT, Mutant
from tests.quick import ALWAYS, LONG, select_tests

NOT_COPIED = shutil.ignore_patterns(
    "var", ".venv", ".git", "__pycache__", ".*_cache", ".hypothesis", "staticfiles", "*.xz", "screenshots"
)
TEST_TIMEOUT = 60
"""Seconds after which a test counts as failed and ends pytest: a mutant may loop for ever."""
TIMEOUT = 900.0
"""Seconds after which all tests together count as failed."""
WRONG_COMMAND = 4
"""Exit code of pytest: it does not know an option or a file."""
PASSED = {0, 5}
"""Exit codes of pytest: all tests passed, or none was selected."""


class Verdict(NamedTuple):
    """What became of a mutant.

    Args:
        caught: whether a test failed or hung.
        by: the test that failed first, or a few words.
        seconds: how long it took.
    """

    caught: bool
    by: str
    seconds: float


def copy_project(to: Path) -> Path:
    """Copy what the tests need into a folder that does not exist yet; returns it."""
    return Path(shutil.copytree(ROOT, to, ignore=NOT_COPIED))


def groups_of_tests(path: str) -> Iterator[list[str]]:
    """Yield groups of tests for a file, the most likely to fail first.

    First come those that import the file, then all those that mirror its package or are named for it.
    """
    module = ".".join(Path(path).with_suffix("").parts)
    package, _, stem = module.rpartition(".")
    imports = re.compile(
        rf"^(from|import) {re.escape(module)}\b|^from {re.escape(package)} import .*\b{re.escape(stem)}\b", re.MULTILINE
    )
    selected = [test for test in select_tests([path], ROOT) if test not in ALWAYS]
    files = [file for test in selected for file in ([ROOT / test] if test.endswith(".py") else _tests_in(test))]
    close = [file for file in files if imports.search(file.read_text(encoding="utf-8"))]
    rest = [file for file in files if file not in close]
    for group in (close, rest):
        names = [name for name in dict.fromkeys(str(file.relative_to(ROOT)) for file in group) if name not in LONG]
        if names:
            yield names


def _tests_in(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("test_*.py"))


def try_out(mutant: Mutant, copy: Path) -> Verdict:
    """Run the tests for a mutant in a copy of the project, which is as before afterwards."""
    began, file = time.monotonic(), copy / mutant.path
    original = file.read_text(encoding="utf-8")
    file.write_text(mutant.of(original), encoding="utf-8")
    try:
        by = next(filter(None, (_failing(tests, copy) for tests in groups_of_tests(mutant.path))), "")
        by = by or (_unmigrated(copy) if "models" in mutant.path else "")
    finally:
        file.write_text(original, encoding="utf-8")
    return Verdict(bool(by), by, round(time.monotonic() - began, 1))


def failing_without_a_mutant(verdicts: Iterable[Verdict], copy: Path) -> str:
    """The first of the tests that caught mutants that fails without any, too; empty if all pass, as they must."""
    tests = {verdict.by for verdict in verdicts if "::" in verdict.by}
    return _failing(sorted(tests), copy) if tests else ""


def _unmigrated(copy: Path) -> str:
    """The check of `make check` that finds models without a migration; empty if it finds none."""
    command = [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"]
    done = subprocess.run(command, cwd=copy, env=_environment(copy), capture_output=True, check=False)
    return "makemigrations --check" if done.returncode else ""


def _environment(copy: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "DJANGO_SETTINGS_MODULE")}
    return environment | {"PYTHONDONTWRITEBYTECODE": "1", "WAYBILL_VAR": str(copy / "var")}


def _failing(tests: list[str], copy: Path) -> str:
    """The first of these tests that fails, or a few words; empty if all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "--no-header", "-p", "no:cacheprovider"]
    command += ["-o", f"faulthandler_timeout={TEST_TIMEOUT}", "-o", "faulthandler_exit_on_timeout=true", *tests]
    try:
        done = subprocess.run(
            command, cwd=copy, env=_environment(copy), capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end within {TIMEOUT:.0f} s"
    if done.returncode in PASSED:
        return ""
    if done.returncode == WRONG_COMMAND:
        raise RuntimeError(done.stderr or done.stdout)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return failed[1] if failed else f"exit code {done.returncode}"
