"""Run functions in threads, each with a database connection of its own, at the same moment or during the test."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, connections

from integration.domain import clock


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """Run functions at the same moment; returns what each of them returned, or the exception that it raised."""
    start = threading.Barrier(len(functions))
    results: list[Any] = [None] * len(functions)

    def one(i: int, function: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[i] = function()
        except BaseException as error:
            results[i] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(i, function)) for i, function in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    return results


class InThread:
    """A function that runs in a thread with a connection of its own."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.result: Any = None

        def run() -> None:
            try:
                self.result = function(*arguments)
            except Exception as error:
                self.result = error
            finally:
                connections.close_all()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def end(self) -> Any:
        """Wait for the end; returns the result or the error."""
        self._thread.join(30)
        assert not self._thread.is_alive(), "it waits for ever"
        return self.result

    def waits_for_a_lock(self) -> None:
        """Return once some connection waits for a lock of another."""
        began = clock.stopwatch()
        while clock.stopwatch() - began < 10:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                if cursor.fetchone() or not self._thread.is_alive():
                    return
            clock.pause(0.01)
