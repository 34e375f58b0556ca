"""A deadline for everything that is done over some sockets: it bounds the whole exchange, not only each read.

The timeout of a socket starts anew with each byte, so a peer that sends one byte now and then holds a reader for ever.
When a deadline passes, a timer shuts down the sockets that were opened under it. Whatever waits for them fails at once.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Lock, Timer
from typing import Any

from integration.domain import clock


class DeadlinePassed(TimeoutError):
    """The peer took too long."""


class Deadline:
    """Sockets that are shut down when the time is up.

    Args:
        seconds: how long the exchange may take in all.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, clock.stopwatch() + seconds
        self._lock, self._sockets, self.has_passed = Lock(), list[socket.socket](), False
        self._timer = Timer(seconds, self._shut_down)
        self._timer.daemon = True

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: Any) -> None:
        self._timer.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()
        if self.has_passed and error is not None and not isinstance(error, DeadlinePassed):
            raise DeadlinePassed(f"no complete response within {self._seconds:g} s") from error

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; raises `DeadlinePassed`."""
        remaining = self._until - clock.stopwatch()
        if self.has_passed or remaining <= 0:
            raise DeadlinePassed(f"no complete response within {self._seconds:g} s")
        return remaining

    def watch(self, sock: socket.socket) -> None:
        """Shut down this socket when the deadline passes, whatever it is wrapped in by then."""
        with self._lock:
            # A duplicate of the file descriptor stays valid, and TLS sockets have no `dup`.
            self._sockets.append(socket.socket(fileno=os.dup(sock.fileno())))
        if self.has_passed:
            self._shut_down()

    def connect(self, address: tuple[str, int], timeout: Any = None, source_address: Any = None) -> socket.socket:
        """Connect to the first address of a host that responds; it takes the place of `socket.create_connection`."""
        host, port = address
        errors: list[OSError] = []
        for *_, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                sock = socket.create_connection((str(where[0]), int(where[1])), self.remaining, source_address)
            except DeadlinePassed:
                raise
            except OSError as error:
                errors.append(error)
            else:
                self.watch(sock)
                return sock
        self.remaining  # noqa: B018 - the addresses may have used up the time
        raise errors[-1] if errors else OSError(f"{host} has no address")

    def _shut_down(self) -> None:
        self.has_passed = True
        with self._lock:
            for each in self._sockets:
                with suppress(OSError):  # it is closed already
                    each.shutdown(socket.SHUT_RDWR)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """Bound everything that the block does over sockets opened by `current_deadline().connect`.

    Raises:
        DeadlinePassed: the time was up before the block ended, and so it failed.
    """
    with Deadline(seconds) as deadline:
        token = _current.set(deadline)
        try:
            yield deadline
        finally:
            _current.reset(token)


def current_deadline() -> Deadline:
    """The deadline of the innermost `within` block; raises `RuntimeError` without one."""
    deadline = _current.get()
    if deadline is None:
        raise RuntimeError("there is no deadline: external systems are called inside `with within(seconds)`")
    return deadline
