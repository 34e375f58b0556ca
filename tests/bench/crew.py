"""The programs that are measured are processes of their own, started before the clock and told what to do by a line.

So no figure has an interpreter's start in it, and nothing that measures shares a process with what is measured.
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
    """A program that was told to do something ended instead."""


class Crew:
    """So many processes of one program.

    Args:
        module: the program; it ends with `work(do)`.
        hands: how many processes.
        environment: theirs.
        folder: where what they say on stderr is kept.
        python: the interpreter they run on, if not this one.
    """

    def __init__(
        self, module: str, hands: int, environment: Mapping[str, str], folder: Path, python: str = sys.executable
    ) -> None:
        self.module, self.hands = module, hands
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
                for _ in range(hands)
            ]

    def __enter__(self) -> "Crew":
        for process in self._processes:
            self._heard(process)  # that it is ready
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
        """Its processes."""
        return [process.pid for process in self._processes]

    def do(self, **what: Any) -> list[Any]:
        """Have every process do this at once; returns what each answers, when the last one has."""
        self.begin(**what)
        return self.end()

    def begin(self, **what: Any) -> None:
        """Have every process begin; `end` waits for them."""
        for process in self._processes:
            print(json.dumps(what), file=process.stdin, flush=True)

    def end(self) -> list[Any]:
        """What each answers, when the last one has; raises `ProgramFailed`."""
        return [self._heard(process) for process in self._processes]

    def time(self, **what: Any) -> float:
        """The seconds until all have done it."""
        began = time.perf_counter()
        self.do(**what)
        return time.perf_counter() - began

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold every process still, so that it costs its neighbours nothing."""
        for process in self._processes:
            os.killpg(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self._processes:
                os.killpg(process.pid, signal.SIGCONT)

    def _heard(self, process: "subprocess.Popen[str]") -> Any:
        line = process.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
        if not line:
            raise ProgramFailed(f"{self.module} ended:\n{self._log.read_text(errors='replace')[-3_000:]}")
        return json.loads(line)


def work(do: Callable[..., Any]) -> None:
    """A program's side: call `do` with what each line says, and answer with what it returns, until the last."""
    answers, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not be taken for an answer
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(do(**json.loads(line))), file=answers, flush=True)
