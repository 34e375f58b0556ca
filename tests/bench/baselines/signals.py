"""`Signal.send` to three receivers that do nothing."""

import time
from typing import Any

from django.dispatch import Signal

from tests.bench.crew import work

happened = Signal()


def first(sender: Any, **kwargs: Any) -> None:
    """A receiver."""


def second(sender: Any, **kwargs: Any) -> None:
    """A receiver."""


def third(sender: Any, **kwargs: Any) -> None:
    """A receiver."""


for receiver in (first, second, third):
    happened.connect(receiver)


def do(times: int) -> float:
    """The seconds that so many of them take."""
    began = time.perf_counter()
    for i in range(times):
        happened.send(sender=None, number=i)
    return time.perf_counter() - began


if __name__ == "__main__":
    work(do)
