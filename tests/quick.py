"""`python -m tests.quick` runs the tests of the files that changed since the branch left main; `make quick` runs it.

The tests mirror the modules, so the path of a changed file selects its tests. `RULES` names the tests that lie
elsewhere. Changes are those committed since the merge base, those not committed yet, and new files that git does not
ignore. This is a quick look between edits. `make test` still runs everything.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAIN = ["main", "origin/main"]
"""The branches that a branch may have left; the first that exists counts."""
CONTEXTS = "ordering|inventory|billing|fulfillment"
ALWAYS = ["tests/test_architecture.py", "tests/test_words.py"]
"""Tests that read the whole code, and take seconds."""

LONG = ["tests/config/test_an_observer.py", "tests/config/test_simulate.py"]
"""Tests of half a minute and more. They run only if they have changed themselves."""

RULES = [
    (r"integration/(domain|storage|aggregates)/", "tests/test_saga.py"),
    (r"integration/(domain|storage|aggregates|messaging)/", "tests/test_queries.py"),
    (r"integration/rest/", "tests/api"),
    (rf"({CONTEXTS})/api\b", "tests/api"),
    (r"integration/(admin|static)/", "tests/integration/test_admin.py"),
    (r"integration/admin/", "tests/integration/test_life_in_the_admin.py"),
    (r"config/templates/", "tests/integration/test_admin.py"),
    (rf"({CONTEXTS})/(commands|policies)\b", "tests/test_queries.py"),
    (rf"({CONTEXTS})/queries\b", "tests/test_registrations.py"),
    (r"integration/logs\.py", "tests/config/test_logs.py"),
    (r"integration/tracing\.py", "tests/integration/test_tracing.py"),
    (rf"(integration|{CONTEXTS})/.*(models|migrations)\b", "tests/test_indexes.py"),
    (r"integration/(apps|invariants|models|policies)\.py", "tests/test_checks_refuse_to_start.py"),
    (r"integration/policies\.py", "tests/integration/messaging/test_policies.py"),
    (r"integration/invariants\.py", "tests/config/test_verify.py"),
    (r"integration/measuring\.py", "tests/config/test_metrics.py"),
    (rf"(integration|{CONTEXTS})/roles\.py", "tests/integration/test_roles.py"),
    (r"integration/management/listing\.py", "tests/integration/messaging"),
    (r"integration/management/commands/contracts\.py", "tests/integration/contracts"),
    (r"integration/management/commands/(consumers|deliveries|replay)\.py", "tests/integration/messaging"),
    (r"integration/management/commands/document\.py", "tests/integration/documents"),
    (r"integration/management/commands/history\.py", "tests/integration/aggregates/test_history_command.py"),
    (r"integration/management/commands/read_models\.py", "tests/integration/read_models"),
    (r"integration/management/commands/rebuild\w*\.py", "tests/integration/aggregates"),
    (r"docs/", "tests/integration/documents"),
    (r"README\.md", "tests/install/test_readme.py"),
    (r"requirements.*\.txt", "tests/test_requirements.py"),
    (r"tests/conftest\.py", "tests/test_saga.py"),
]
"""Tests besides the mirrored ones, by what a changed file's path begins with. Every rule that matches counts."""


class CannotCompare(RuntimeError):
    """There is nothing to compare the files with: no git, no repository, or no main branch."""


def changed_files(root: Path, base: str = "") -> tuple[list[str], str]:
    """Find the files that differ from the commit where this branch left `base`, or main if none is named.

    Returns their paths, also those of deleted and of new files, and that commit's short name. Raises `CannotCompare`.
    """
    if shutil.which("git") is None:
        raise CannotCompare("git is not installed, so the changed files are unknown: run `make test` instead.")

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout

    for name in [base] if base else MAIN:
        try:
            commit = git("merge-base", "HEAD", name).strip()
        except subprocess.CalledProcessError:
            continue
        changed = git("diff", "--name-only", "--no-renames", "--relative", "-z", commit)
        new = git("ls-files", "--others", "--exclude-standard", "-z")
        files = sorted(filter(None, {*changed.split("\0"), *new.split("\0")}))
        return files, git("rev-parse", "--short", commit).strip()
    raise CannotCompare(
        f"git finds no common commit with {' or '.join([base] if base else MAIN)} here: name a branch or commit "
        "with --base, or run `make test` instead."
    )


def select_tests(files: Iterable[str], root: Path) -> list[str]:
    """Select the test files and folders to run for these changed files; none that lies in another one selected."""
    found = {test for file in files for test in [*mirrored(file, root), *by_rule(file)]}
    there = {test for test in [*found, *ALWAYS] if (root / test).exists()}
    return sorted(test for test in there if there.isdisjoint(str(folder) for folder in Path(test).parents))


def mirrored(file: str, root: Path) -> Iterator[str]:
    """Yield the closest folder of tests that mirrors a module, or the tests of a file that lies among the tests."""
    path = Path(file)
    if path.parts[0] != "tests":
        for folder in (path.with_suffix(""), *path.parents):
            # `tests/integration` as a whole would be a third of all tests: what it does not mirror has a rule.
            if str(folder) not in (".", "integration") and (root / "tests" / folder).is_dir():
                yield f"tests/{folder}"
                return
    elif path.name.startswith("test_") and path.suffix == ".py":
        yield file
    elif path.name == "conftest.py" and len(path.parts) > 2:
        yield str(path.parent)
    elif path.suffix == ".py":
        yield from importing(path, root)


def importing(module: Path, root: Path) -> Iterator[str]:
    """Yield the test files that import a module of the tests."""
    name = re.escape(".".join(module.with_suffix("").parts))
    package, stem = name.rpartition(r"\.")[::2]
    imports = re.compile(rf"^(from|import) {name}\b|^from {package} import .*\b{stem}\b", re.MULTILINE)
    for test in (root / "tests").rglob("test_*.py"):
        if imports.search(test.read_text(encoding="utf-8")):
            yield str(test.relative_to(root))


def by_rule(file: str) -> Iterator[str]:
    """Yield the tests that `RULES` names for a file."""
    for beginning, test in RULES:
        if re.match(beginning, file):
            yield test


def main() -> int:
    """Run the tests of the changed files; returns pytest's exit code, or 2 if the changed files cannot be found."""
    parser = argparse.ArgumentParser(prog="python -m tests.quick", description=__doc__, epilog="pytest gets the rest.")
    parser.add_argument("--base", default="", help="the branch or commit to compare with (default: main)")
    options, for_pytest = parser.parse_known_args()
    try:
        files, commit = changed_files(ROOT, options.base)
    except CannotCompare as reason:
        print(reason, file=sys.stderr)
        return 2
    selected, left_out = select_tests(files, ROOT), [f"--ignore={test}" for test in LONG if test not in files]
    print(f"{len(files)} files changed since {commit}. pytest {' '.join([*selected, *left_out])}", flush=True)
    command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", *for_pytest, *selected, *left_out]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
