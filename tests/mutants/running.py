"""Runs tests one by one within a time limit, in forks of a process in which pytest has collected them."""

import json
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NoReturn

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

FORK = multiprocessing.get_context("fork")
SLOW = {"system", "broker", "rabbitmq", "postgres", "browser", "git", "clone", "compiler"}
"""Markers of tests that do not run: they need another program, or do their work in other processes."""
IGNORED = (
    "tests/api/test_schemathesis.py",  # draws its requests by chance
    "tests/bench",
    "tests/chaos",
    "tests/install",
    "tests/mutants",
    "tests/system",
    "tests/upgrades",
)
"""Folders and files of tests that do not run, for the same reason."""
OPTIONS = ["-q", "-n", "0", "--no-header", "-p", "no:cacheprovider", "--capture", "sys"]
LEAST_SECONDS = 10.0
"""Seconds of the processor that each test may take at least, however fast it is without a mutant."""
LONGEST_WAIT = 120.0
"""Seconds of the clock on the wall that a test may take, on a busy machine, too."""


class Runner:
    """A plugin of pytest that runs the fast tests in its own way; subclasses say which.

    Hypothesis draws the same examples each time, and does not look for the smallest one that fails.
    """

    slow = SLOW

    def pytest_configure(self, config: pytest.Config) -> None:
        """Load a profile of Hypothesis after that of `conftest.py`, before the tests are imported."""
        settings.register_profile("mutants", database=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutants")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the slow tests out."""
        items[:] = [item for item in items if self.slow.isdisjoint(marker.name for marker in item.iter_markers())]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests, so that pytest does not."""
        self.run(session.items, session.testsfailed)
        return True

    def run(self, items: list[pytest.Item], not_collected: int) -> None:
        """Run the tests that were collected; `not_collected` counts the files that could not be imported."""
        raise NotImplementedError


def passes(item: pytest.Item, after: pytest.Item | None) -> bool:
    """Whether a test passes. Fixtures that the test after it needs, too, stay."""
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=after))


def first_failing(items: list[pytest.Item], seconds: Callable[[str], float], late: Callable[[str], Any]) -> str:
    """Run tests until one fails; returns its name, or an empty text.

    Args:
        seconds: how long a test uses the processor without a mutant. After ten times as long, it hangs.
        late: is called with the name of a test that hangs. It must end the process; nothing else ends such a test.
    """
    for item, after in zip(items, [*items[1:], None], strict=True):
        with time_limit(max(LEAST_SECONDS, 10 * seconds(item.nodeid)), partial(late, item.nodeid)):
            if not passes(item, after):
                return item.nodeid
    return ""


@contextmanager
def time_limit(seconds: float, late: Callable[[], Any]) -> Iterator[None]:
    """Call `late` if the block uses the processor longer than this, or waits longer than LONGEST_WAIT.

    If the block goes on nevertheless for as long again, the process ends.
    """
    calls = iter([late, partial(os._exit, 1)])
    for alarm in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(alarm, lambda *_: next(calls)())
    signal.setitimer(signal.ITIMER_REAL, LONGEST_WAIT, LONGEST_WAIT)
    signal.setitimer(signal.ITIMER_PROF, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def processor_seconds() -> float:
    """The seconds that this process and those that it has waited for used the processor."""
    return sum(os.times()[:4])


def in_forks(works: Iterable[Callable[[], None]], processes: int) -> None:
    """Do each work in a fork of this process, so many at a time; a work is drawn when a process is free for it."""
    running: dict[Any, Any] = {}
    for work in works:
        process = FORK.Process(target=_do, args=(work,))
        process.start()
        running[process.sentinel] = process
        if len(running) == processes:
            _reap(running)
    while running:
        _reap(running)


def _reap(running: dict[Any, Any]) -> None:
    for sentinel in wait(list(running)):
        running.pop(sentinel).join()


def _do(work: Callable[[], None]) -> NoReturn:
    """Do the work and end at once: threads that a mutant left, and exit handlers of this process, do not count."""
    try:
        work()
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    os._exit(0)


def stored(file: Path) -> Iterator[Any]:
    """Yield what a file holds, a line each, without a line that was cut off."""
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        with suppress(ValueError):
            yield json.loads(line)


def append(file: Path, what: Any) -> None:
    """Add a line for `stored` to a file."""
    with file.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(what) + "\n")
