"""A pytest plugin that skips the tests whose requirements this machine lacks.

At the end pytest lists the tests that did not run, and how to install what they need. With `CI=true` these tests fail
instead, so that a green CI run has run every test.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.browser import why_none

LACKS = "lacks"
"""The name of the report property that holds the marker of what the machine lacks."""


class Need(NamedTuple):
    """Something that tests with a marker need: its name, the reason why it is missing (or empty), how to install it."""

    name: str
    why_not: Callable[[], str]
    how: str


def _why_no_commit(commit: str) -> str:
    """Why git cannot show a commit of this project; empty if it can."""
    try:
        ask = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
        done = subprocess.run(ask, cwd=Path(__file__).parent, capture_output=True, text=True)
    except FileNotFoundError:
        return "there is no git on the PATH"
    return done.stderr.strip() if done.returncode else ""


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
    "clone": Need(
        "a clone with the whole git history",
        cache(lambda: _why_no_commit("c4a1a4a")),
        "clone the project with git, or complete the clone with git fetch --unshallow",
    ),
    "compiler": Need(
        "a C compiler",
        lambda: "" if shutil.which("cc") else "there is no cc on the PATH",
        "install one (on Debian: apt-get install gcc libc6-dev)",
    ),
    "redis": Need(
        "redis-server",
        lambda: "" if shutil.which("redis-server") else "it is not on the PATH",
        "install it (on Debian: apt-get install redis-server)",
    ),
    "rabbitmq": Need(
        "RabbitMQ",
        lambda: "" if os.environ.get("RABBITMQ_URL") else "RABBITMQ_URL names none",
        "start one (on Debian: apt-get install rabbitmq-server), and set RABBITMQ_URL=amqp://guest:guest@127.0.0.1//",
    ),
}
"""The needs, by the marker of the tests that have them."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose need is missing, or fail it with `CI=true`, before any of its fixtures is set up."""
    for marker, need in NEEDS.items():
        if item.get_closest_marker(marker) and (reason := need.why_not()):
            item.user_properties.append((LACKS, marker))
            end = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            end(f"{need.name} is needed: {reason}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Generator[None, None, None]:
    """Print the tests that did not run, after pytest's own summary."""
    yield
    lacking: dict[str, list[str]] = {}
    for outcome in ("skipped", "error", "failed"):
        for report in terminalreporter.getreports(outcome):
            properties = getattr(report, "user_properties", [])  # a module that cannot be collected has none
            for marker in (marker for name, marker in properties if name == LACKS):
                lacking.setdefault(marker, []).append(report.nodeid)
    for marker, tests in lacking.items():
        need = NEEDS[marker]
        loud = {"red": True, "bold": True}
        terminalreporter.section(f"{len(tests)} TESTS DID NOT RUN: no {need.name}", **loud)
        for test in sorted(tests):
            terminalreporter.line(f"  {test}")
        terminalreporter.line(f"They need {need.name}. Here: {need.why_not()}.")
        terminalreporter.line(f"To run them, {need.how}", **loud)
