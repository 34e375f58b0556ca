"""Run functions at the same moment in threads, each with a database connection of its own."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections


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
