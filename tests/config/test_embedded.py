"""The embedded worker and beat are started again when their threads end, whatever ended them."""

import ctypes
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from config import embedded
from config.embedded import Embedded


class Standstill:
    """Blocks until it is stopped or its thread is killed, as a worker does."""

    def __init__(self) -> None:
        self._stopped, self.is_running = threading.Event(), threading.Event()

    def start(self) -> None:
        self.is_running.set()
        while not self._stopped.wait(0.01):
            pass

    def stop(self) -> None:
        self._stopped.set()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the parts that were made, in order."""
    names: list[str] = []

    def makes(name: str) -> Callable[[], Standstill]:
        return lambda: (names.append(name), Standstill())[1]

    monkeypatch.setattr(embedded, "PAUSE", 0.05)
    monkeypatch.setattr(embedded, "_worker", makes("worker"))
    monkeypatch.setattr(embedded, "_beat", makes("beat"))
    return names


@pytest.fixture
def running(made: list[str]) -> Iterator[Embedded]:
    running = Embedded()
    running.start()
    yield running
    running.stop()
    assert eventually(lambda: _threads("worker", "beat", "watch") == [])


def _threads(*names: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in names]


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", ["worker", "beat"])
def test_a_killed_thread_is_started_again(
    name: str, made: list[str], running: Embedded, caplog: pytest.LogCaptureFixture
) -> None:
    part = running._parts[made.index(name)]
    for times in (2, 3):
        assert eventually(part._running.is_running.is_set)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(part._thread.ident or 0), ctypes.py_object(SystemExit)
        )
        assert eventually(lambda times=times: made.count(name) == times and part._thread.is_alive())

    assert sorted(made) == sorted(["worker", "beat", name, name])
    assert f"the embedded {name} has ended, and is started again" in caplog.text


def test_a_part_that_cannot_be_made_is_tried_again(
    made: list[str], running: Embedded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make, refusals = running._parts[0]._make, [OSError("too many files"), OSError("too many files")]

    def refuse_at_first() -> Standstill:
        if refusals:
            raise refusals.pop()
        return make()

    monkeypatch.setattr(running._parts[0], "_make", refuse_at_first)
    running._parts[0].stop()

    assert eventually(lambda: made == ["worker", "beat", "worker"])
    assert "too many files" in caplog.text


def test_a_stopped_part_is_not_started_again(made: list[str]) -> None:
    stopped = Embedded()
    stopped.start()
    stopped.stop()
    time.sleep(4 * embedded.PAUSE)

    assert made == ["worker", "beat"]
