"""Ctrl-C ends `manage.py serve` cleanly while requests arrive, and no order is lost.

Worker and beat, as processes of their own, end as cleanly on SIGTERM from a process manager.
"""

import contextlib
from collections.abc import Callable, Iterator
from signal import SIGINT
from socket import create_connection
from threading import Event, Thread

import pytest
from running_system import TIMEOUT, Program, System

pytestmark = pytest.mark.system


@contextlib.contextmanager
def many_connections(port: int) -> Iterator[None]:
    """Open as many connections as possible meanwhile, so that the signal arrives in the middle of requests."""
    enough = Event()

    def call() -> None:
        while not enough.is_set():
            with contextlib.suppress(OSError), create_connection(("127.0.0.1", port), timeout=1) as caller:
                caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    callers = [Thread(target=call, daemon=True) for _ in range(2)]
    for caller in callers:
        caller.start()
    yield
    enough.set()
    for caller in callers:
        caller.join()


def end(program: Program, how: Callable[[], None]) -> None:
    how()
    assert program.wait(TIMEOUT) == 0, program.output
    assert "Traceback" not in program.output
    assert "ERROR" not in program.output


def test_ctrl_c_ends_all_processes_cleanly_and_the_next_start_goes_on(system_to_break: Callable[..., System]) -> None:
    system = system_to_break()
    buyer = system.visitor.log_in("buyer", "buyer")
    number = buyer.place({"MUG-ENAMEL-BLUE": 1})

    web, *others = system.programs.values()
    with many_connections(system.port):
        end(web, lambda: web.signal_group(SIGINT))
    for other in others:
        end(other, other.terminate)

    system.open()
    assert buyer.order_once(number, "confirmed")["payment"]["status"] == "paid"
