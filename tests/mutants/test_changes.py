"""The lines of a change are those since the branch left main; on main itself, those of its last commits."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mutants import changes
from tests.mutants.changes import changed_lines
from tests.mutants.sample import PACKAGES, draw
from tests.quick import CannotCompare

pytestmark = pytest.mark.git


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that runs git in a new repository, in which each package has a file of one line."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=A Developer", "-c", "user.email=developer@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--initial-branch", "main")
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "code.py").write_text("one\n")
    (tmp_path / "notes").write_text("one\n")
    git("add", ".")
    git("commit", "-m", "First")
    return git


def test_lines_of_a_branch_are_those_since_it_left_main_committed_or_not(
    git: Callable[..., None], tmp_path: Path
) -> None:
    git("switch", "-c", "branch")
    (tmp_path / "ordering" / "code.py").write_text("zero\none\ntwo\nthree\n")
    git("commit", "-a", "-m", "Change")
    (tmp_path / "billing" / "code.py").write_text("another\n")
    (tmp_path / "billing" / "new.py").write_text("1\n2\n")
    (tmp_path / "notes").write_text("two\n")
    assert changed_lines(tmp_path)[0] == {
        "ordering/code.py": {1, 3, 4},
        "billing/code.py": {1},
        "billing/new.py": {1, 2},
    }


def test_lines_of_main_are_those_of_its_last_commits_to_the_packages(
    git: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "COMMITS", 2)
    for number in range(2, 5):
        with (tmp_path / "billing" / "code.py").open("a") as file:
            file.write(f"{number}\n")
        git("commit", "-a", "-m", "Change")
    (tmp_path / "notes").write_text("two\n")
    git("commit", "-a", "-m", "Change the notes")
    assert changed_lines(tmp_path)[0] == {"billing/code.py": {3, 4}}


def test_without_the_commit_to_compare_with_one_sentence_says_so(git: Callable[..., None], tmp_path: Path) -> None:
    with pytest.raises(CannotCompare, match=r"^git rev-parse"):  # the first commit, as in a clone of one commit
        changed_lines(tmp_path)


def test_only_lines_of_the_change_are_mutated() -> None:
    among = {"ordering/models/order.py": range(60, 160), "billing/events/refunds.py": range(1)}
    drawn = draw(20, 1, among)
    assert drawn
    assert {mutant.line in among[mutant.path] for mutant in drawn} == {True}
