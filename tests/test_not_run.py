"""Without a browser, a test that needs one is skipped and listed at the end; with `CI=true` it fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import LONGEST_DOWNLOAD

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import pytest

@pytest.fixture
def window():
    raise AssertionError("a test that does not run must not set up its fixtures")

@pytest.mark.browser
def test_with_a_browser(window):
    pass

def test_without():
    pass
"""
INI = "[pytest]\nmarkers =\n  browser: drives a real browser\n"
IN_ANOTHER_PROCESS = ("-p", "xdist", "-n", "1")
"""Runs the tests in a process of xdist, as `make test` does."""


@pytest.fixture
def no_browser(tmp_path: Path) -> dict[str, str]:
    """An environment without a browser, where none can be downloaded."""
    programs, browsers = tmp_path / "programs", tmp_path / "browsers"
    programs.mkdir()
    nowhere = {"PLAYWRIGHT_DOWNLOAD_HOST": "http://127.0.0.1:9", "PLAYWRIGHT_BROWSERS_PATH": str(browsers)}
    return {"PATH": str(programs), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **nowhere}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two tests, one of which needs a browser."""
    folder = tmp_path / "two"
    folder.mkdir()
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_two.py").write_text(TESTS)
    return folder


def run_tests(folder: Path, environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-p", "tests.not_run", *options]
    only_these = {**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, env=only_these, capture_output=True, text=True, timeout=300)


def how_it_ends(output: str) -> str:
    """Return the output from the list of tests that did not run, without pytest's last line."""
    return "\n".join(output[output.index("1 TESTS DID NOT RUN") :].strip().splitlines()[:-1])


@pytest.mark.parametrize("options", [(), IN_ANOTHER_PROCESS])
def test_without_a_browser_the_other_tests_run_and_the_end_names_the_one_that_did_not(
    folder: Path, no_browser: dict[str, str], options: tuple[str, ...]
) -> None:
    done = run_tests(folder, no_browser, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 1 skipped" in done.stdout
    end = how_it_ends(done.stdout)
    assert "test_two.py::test_with_a_browser" in end
    assert "::test_without" not in end
    assert "Executable doesn't exist" in end
    assert "playwright install --with-deps chromium" in end.splitlines()[-1]


def test_in_ci_a_test_that_cannot_run_fails(folder: Path, no_browser: dict[str, str]) -> None:
    done = run_tests(folder, {**no_browser, "CI": "true"}, *IN_ANOTHER_PROCESS)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed, 1 error" in done.stdout
    assert "test_two.py::test_with_a_browser" in how_it_ends(done.stdout)


def test_a_run_in_which_nothing_is_missing_ends_without_the_list(folder: Path, no_browser: dict[str, str]) -> None:
    done = run_tests(folder, {**no_browser, "CI": "true"}, "-k", "test_without")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DID NOT RUN" not in done.stdout


def test_a_browser_that_does_not_start_is_named_and_the_next_one_is_tried(no_browser: dict[str, str]) -> None:
    broken = Path(no_browser["PATH"], "chromium")
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    done = look_for_a_browser(no_browser)
    assert done.returncode == 1
    assert f"{broken}: " in done.stderr
    assert "; Playwright: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_download_is_reported_and_exits_with_success(no_browser: dict[str, str]) -> None:
    done = look_for_a_browser(no_browser, "--install")
    assert done.returncode == 0, done.stderr
    assert "It cannot be downloaded: Error: connect ECONNREFUSED 127.0.0.1:9" in done.stdout
    assert done.stderr == ""


def look_for_a_browser(environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    command, longest = [sys.executable, "-m", "tests.browser", *options], LONGEST_DOWNLOAD
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=longest)
