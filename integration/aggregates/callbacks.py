"""Callbacks that Django runs after a commit: an error of one neither fails the command nor skips the others."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection


def make_callbacks_robust() -> None:
    """Have Django log the errors of all `on_commit` callbacks of this transaction and go on with the next one.

    Without `robust`, the error of one callback skips those after it, such as the wake-up for published messages.
    """
    callbacks: list[Any] = connection.run_on_commit
    callbacks[:] = [(savepoints, _named(function), True) for savepoints, function, _ in callbacks]


def _named(function: Callable[[], object]) -> Callable[[], object]:
    """The callback, or a function that calls it: Django logs the name of a callback, and a partial has none."""
    if not isinstance(function, partial):
        return function

    def callback() -> object:
        return function()

    return callback
