"""Requests that wait for something new hold no thread: they are set aside, and served again when it is there.

A request that is set aside keeps its connection, which the process's loop watches with all others. So a client that
leaves frees its place. One thread looks for what is new while anybody waits. It lets the waiting requests go one after
the other, at most `PER_SECOND`, and for `LONGEST_DELAY` only while no other request waits for a thread.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections

from integration.rest.feed import Waits

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1
"""Seconds between two looks for what is new."""
PER_SECOND = 10
"""The most waiting requests that are served again in a second, so that they leave the processor to others."""
LONGEST_DELAY = 5.0
"""Seconds after which a request is served again although others wait for a thread."""

TypesSince = Callable[[int], dict[str, int]]
"""Takes a number of the feed, and returns the types of the events after it, and the highest number of each."""


class WaitingList:
    """The connections of a process whose requests are set aside.

    Args:
        most: how many may wait.
        types_since: looks for what is new.
        serve: has a thread serve the request of a connection again.
        is_free: whether no other request waits for a thread.
    """

    def __init__(
        self,
        most: int,
        types_since: TypesSince,
        serve: Callable[[Any], None],
        is_free: Callable[[], bool],
    ) -> None:
        self._most, self._types_since, self._serve, self._is_free = most, types_since, serve, is_free
        self._waiting: dict[Any, tuple[float, Waits]] = {}
        self._ready: dict[Any, float] = {}
        self._seen: dict[str, int] = {}
        self._lock = threading.Condition()
        self._is_open = True

    def __len__(self) -> int:
        return len(self._waiting) + len(self._ready)

    def has_place(self) -> bool:
        """Whether one more may wait."""
        return len(self) < self._most

    def is_open(self) -> bool:
        """Whether the process does not stop."""
        return self._is_open

    def enter(self, connection: Any, waits: Waits, until: float) -> None:
        """Set the request of a connection aside.

        Args:
            connection: the connection.
            waits: what it waits for.
            until: when it is served again at the latest, by the monotonic clock.
        """
        with self._lock:
            if waits.is_ready:
                self._ready[connection] = time.monotonic()
            else:
                self._waiting[connection] = until, waits
            self._lock.notify()

    def leave(self, connection: Any) -> None:
        """Forget a connection that was closed."""
        with self._lock:
            self._waiting.pop(connection, None)
            self._ready.pop(connection, None)

    def holds(self, connection: Any) -> bool:
        """Whether the request of a connection is set aside."""
        return connection in self._waiting or connection in self._ready

    def start(self) -> None:
        """Start the thread that looks for what is new."""
        threading.Thread(target=self._run, name="waiting-list", daemon=True).start()

    def close(self) -> None:
        """Let all go: the process stops."""
        with self._lock:
            self._is_open = False
            leaving = [*self._waiting, *self._ready]
            self._waiting.clear()
            self._ready.clear()
            self._lock.notify()
        for connection in leaving:
            self._serve(connection)

    def _run(self) -> None:
        looked = 0.0
        while self._is_open:
            with self._lock:
                if not len(self):
                    self._seen.clear()
                    connections.close_all()
                while self._is_open and not len(self):
                    self._lock.wait()
            try:
                if (now := time.monotonic()) >= looked + LOOK_EVERY:
                    looked = now
                    self._look(now)
                self._let_one_go()
            except Exception:  # the next look tries again
                log.exception("the feed cannot be looked at")
                connections.close_all()
                time.sleep(1)
            time.sleep(1 / PER_SECOND)

    def _look(self, now: float) -> None:
        with self._lock:
            read_up_to = [waits.after for _, waits in self._waiting.values()]
        if not read_up_to:
            return
        # The first look begins where a reader has read up to. So it finds what was published before that reader came.
        self._seen.update(self._types_since(max(self._seen.values(), default=min(read_up_to))))
        with self._lock:
            for connection, (until, waits) in [*self._waiting.items()]:
                numbers = (number for name, number in self._seen.items() if not waits.types or name in waits.types)
                if until <= now or max(numbers, default=0) > waits.after:
                    del self._waiting[connection]
                    self._ready[connection] = now

    def _let_one_go(self) -> None:
        with self._lock:
            connection, since = next(iter(self._ready.items()), (None, 0.0))
            if connection is None or not (self._is_free() or since + LONGEST_DELAY < time.monotonic()):
                return
            del self._ready[connection]
        self._serve(connection)
