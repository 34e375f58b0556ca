"""`make quick` finds what changed since the branch left main, and selects tests for every module of the project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.quick import ALWAYS, LONG, ROOT, RULES, CannotCompare, changed_files, mirrored, select_tests

IDENTITY = ["-c", "user.name=A Developer", "-c", "user.email=developer@example.com"]


@pytest.fixture
def branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose branch has left main, with one change of each kind; main went on meanwhile."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)

    def git(*arguments: str) -> None:
        subprocess.run(["git", *IDENTITY, *arguments], cwd=tmp_path, check=True, capture_output=True)

    def commit(**files: str) -> None:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        git("add", ".")
        git("commit", "-m", "change")

    git("init", "--initial-branch", "main")
    commit(
        unchanged="", committed="", edited="", deleted="", renamed="as it is", on_main="", **{".gitignore": "ignored"}
    )
    git("switch", "-c", "branch")
    commit(committed="changed")
    git("switch", "main")
    commit(on_main="changed")
    git("switch", "branch")
    (tmp_path / "edited").write_text("changed")
    (tmp_path / "deleted").unlink()
    (tmp_path / "renamed").rename(tmp_path / "another name")
    (tmp_path / "ignored").write_text("new")
    return tmp_path


@pytest.mark.git
def test_changes_are_those_since_the_merge_base_committed_or_not(branch: Path) -> None:
    files, commit = changed_files(branch)
    assert files == ["another name", "committed", "deleted", "edited", "renamed"]
    assert len(commit) >= 7


@pytest.mark.git
def test_changes_since_a_named_commit(branch: Path) -> None:
    files, _ = changed_files(branch, "HEAD")
    assert files == ["another name", "deleted", "edited", "renamed"]


@pytest.mark.git
def test_without_a_main_branch_one_sentence_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(CannotCompare, match=r"^git finds no common commit with main or origin/main here: name a"):
        changed_files(tmp_path)


def test_without_git_one_sentence_says_what_to_run_instead(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.quick"]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr == "git is not installed, so the changed files are unknown: run `make test` instead.\n"


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("ordering/models/order.py", ["tests/ordering", "tests/test_indexes.py"]),
        ("ordering/commands/orders.py", ["tests/ordering/commands", "tests/test_queries.py"]),
        ("ordering/api/orders.py", ["tests/api", "tests/ordering"]),
        ("integration/history/entries.py", ["tests/integration/history"]),
        ("integration/domain/money.py", ["tests/integration/domain", "tests/test_queries.py", "tests/test_saga.py"]),
        ("integration/rest/etags.py", ["tests/api"]),
        ("config/simulation/run.py", ["tests/config"]),
        ("tests/test_indexes.py", ["tests/test_indexes.py"]),
        ("tests/api/conftest.py", ["tests/api"]),
        (
            "tests/browser.py",
            [
                *("tests/api/test_openapi.py", "tests/test_not_run.py"),
                *("tests/system/test_a_browser.py", "tests/system/test_accessible_pages.py"),
            ],
        ),
        ("tests/bench/stage.py", ["tests/bench/test_bench_runs.py"]),
        ("LICENSE", []),
    ],
)
def test_a_changed_file_selects_its_tests(file: str, tests: list[str]) -> None:
    assert set(select_tests([file], ROOT)) - set(ALWAYS) == set(tests)


def test_a_deleted_test_file_selects_nothing_that_is_not_there() -> None:
    assert set(select_tests(["tests/test_of_yesterday.py"], ROOT)) <= set(ALWAYS)


def test_a_test_file_of_a_selected_folder_is_not_selected_again() -> None:
    assert "tests/ordering/test_order.py" not in select_tests(
        ["ordering/events.py", "tests/ordering/test_order.py"], ROOT
    )


def test_every_module_of_the_project_selects_tests() -> None:
    packages = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name not in ("tests", "var")]
    modules = [str(module.relative_to(ROOT)) for package in packages for module in package.rglob("*.py")]
    assert len(modules) > 200
    assert [module for module in modules if set(select_tests([module], ROOT)) <= set(ALWAYS)] == [
        "integration/__init__.py",
        "integration/management/__init__.py",
        "integration/management/commands/__init__.py",
    ]


def test_every_named_test_exists() -> None:
    assert [test for test in [*LONG, *(test for _, test in RULES)] if not (ROOT / test).exists()] == []


def test_the_closest_folder_of_tests_counts() -> None:
    assert list(mirrored("ordering/commands/orders.py", ROOT)) == ["tests/ordering/commands"]
    assert list(mirrored("ordering/events.py", ROOT)) == ["tests/ordering"]
