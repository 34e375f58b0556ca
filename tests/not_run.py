"""A pytest plugin: what happens to tests that need something this machine lacks.

They are skipped and all others run. At the end pytest lists the tests that did not run, and says how to get what they
need. With `CI=true` they fail instead, so that a green CI run has run everything.
"""

import os
import shutil
from collections.abc import Callable, Generator
from functools import cache
from typing import Any, NamedTuple

import pytest

from tests.browser import why_none

LACKS = "lacks"
"""The property of a test's report that says what the machine lacks."""


class Need(NamedTuple):
    """What tests with a marker need of the machine: why it is not there (empty if it is), and how to get it."""

    name: str
    why_not: Callable[[], str]
    how: str


NEEDS = {
    "browser": Need(
        "Chromium or Chrome",
        cache(why_none),
        "install one (on Debian: apt-get install chromium) or run .venv/bin/playwright install --with-deps chromium",
    ),
    "git": Need(
        "git",
        lambda: "" if shutil.which("git") else "there is no such program on the PATH",
        "install it (on Debian: apt-get install git)",
    ),
}
"""By the marker of the tests that need it."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs what is not there, or fail it with `CI=true`; before any of its fixtures is made."""
    for marker, need in NEEDS.items():
        if item.get_closest_marker(marker) and (reason := need.why_not()):
            item.user_properties.append((LACKS, marker))
            end = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            end(f"{need.name} is needed: {reason}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Generator[None, None, None]:
    """Print, after all that pytest itself says, the tests that did not run."""
    yield
    lacking: dict[str, list[str]] = {}
    for outcome in ("skipped", "error", "failed"):
        for report in terminalreporter.getreports(outcome):
            for marker in (marker for name, marker in report.user_properties if name == LACKS):
                lacking.setdefault(marker, []).append(report.nodeid)
    for marker, tests in lacking.items():
        need = NEEDS[marker]
        loud = {"red": True, "bold": True}
        terminalreporter.section(f"{len(tests)} TESTS DID NOT RUN: no {need.name}", **loud)
        for test in sorted(tests):
            terminalreporter.line(f"  {test}")
        terminalreporter.line(f"They need {need.name}, and here {need.why_not()}.")
        terminalreporter.line(f"To run them, {need.how}", **loud)
