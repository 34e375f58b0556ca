"""A run that a signal ends in the middle of a fault leaves no process and no file behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings

from tests.chaos.processes import descendants, runs, state
from tests.system.running_system import PYTHON, ROOT, Program, eventually

pytestmark = [
    pytest.mark.system,
    pytest.mark.redis,
    pytest.mark.skipif(settings.EMBEDDED, reason="in embedded mode there is no server to leave behind"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL may enter, which runs as another user; pytest's own folders are closed to it."""
    with TemporaryDirectory(prefix="waybill-signals-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_sigterm_in_the_middle_of_a_fault_ends_all_that_was_started(folder: Path, tmp_path: Path) -> None:
    command = [*PYTHON, "-m", "tests.chaos", "faults", "--short", "--only", "freeze_redis"]
    run = Program(command, ROOT, {**os.environ, "TMPDIR": str(folder)}, tmp_path / "output")
    try:
        frozen = eventually(
            lambda: [pid for pid in run.children if state(pid) == "T" or run.exit_code is not None],
            bool,
            "a Redis that is frozen",
        )
        started = descendants(run.pid)
        assert {*frozen} < {*started}, run.output

        run.terminate()

        assert run.wait(60) == 128 + signal.SIGTERM
        assert [pid for pid in started if runs(pid)] == []
        assert list(folder.iterdir()) == []
    finally:
        run.terminate()
        run.stop()
