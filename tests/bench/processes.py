"""Runs each measured program in processes of its own and sends it calls as lines of JSON.

The processes start before the clock does, so no figure includes the start of an interpreter. The measuring code never
shares a process with the code under measurement.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.system.running_system import ROOT


class ProgramFailed(RuntimeError):
    """A program ended without a reply to a call."""


class ProcessGroup:
    """Several processes that run the same program.

    Args:
        module: the program's module, which ends with `serve_calls(do)`.
        size: the number of processes.
        environment: their environment variables.
        folder: their working folder; their stderr goes to a log file in it.
        python: the interpreter that runs them.
    """

    def __init__(
        self, module: str, size: int, environment: Mapping[str, str], folder: Path, python: str = sys.executable
    ) -> None:
        self.module, self.size = module, size
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / f"{module}.log"
        with self._log.open("ab") as log:
            self._processes = [
                subprocess.Popen(
                    [python, "-m", module],
                    cwd=folder,
                    env={**environment, "PYTHONPATH": str(ROOT)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                )
                for _ in range(size)
            ]

    def __enter__(self) -> "ProcessGroup":
        for process in self._processes:
            self._read_reply(process)  # the first reply says that the process is ready
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes:
            with suppress(BrokenPipeError):
                process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def pids(self) -> list[int]:
        """The IDs of the processes."""
        return [process.pid for process in self._processes]

    def do(self, **what: Any) -> list[Any]:
        """Call the program in every process at once; returns each process's result when all are done."""
        self.begin(**what)
        return self.end()

    def begin(self, **what: Any) -> None:
        """Send the call to every process; `end` waits for the results."""
        for process in self._processes:
            print(json.dumps(what), file=process.stdin, flush=True)

    def end(self) -> list[Any]:
        """Wait for the result of every process; raises `ProgramFailed` if one has ended."""
        return [self._read_reply(process) for process in self._processes]

    def time(self, **what: Any) -> float:
        """Call the program in every process; returns the seconds until all are done."""
        began = time.perf_counter()
        self.do(**what)
        return time.perf_counter() - began

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop every process with SIGSTOP, so that it uses no CPU while something else is measured."""
        for process in self._processes:
            os.killpg(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self._processes:
                os.killpg(process.pid, signal.SIGCONT)

    def _read_reply(self, process: "subprocess.Popen[str]") -> Any:
        line = process.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
        if not line:
            raise ProgramFailed(f"{self.module} ended:\n{self._log.read_text(errors='replace')[-3_000:]}")
        return json.loads(line)


def serve_calls(do: Callable[..., Any]) -> None:
    """Call `do` with the arguments in each line of stdin, and write what it returns to stdout, until stdin ends."""
    replies, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not be read as a reply
    print(json.dumps("ready"), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(do(**json.loads(line))), file=replies, flush=True)
