"""Sends Django signals to three receivers that do nothing."""

import time
from typing import Any

from django.dispatch import Signal

from tests.bench.processes import serve_calls

happened = Signal()


def first(sender: Any, **kwargs: Any) -> None:
    """Do nothing."""


def second(sender: Any, **kwargs: Any) -> None:
    """Do nothing."""


def third(sender: Any, **kwargs: Any) -> None:
    """Do nothing."""


for receiver in (first, second, third):
    happened.connect(receiver)


def do(times: int) -> float:
    """Send this many signals; returns the seconds they took."""
    began = time.perf_counter()
    for i in range(times):
        happened.send(sender=None, number=i)
    return time.perf_counter() - began


if __name__ == "__main__":
    serve_calls(do)
