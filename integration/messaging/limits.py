"""The limits of an external consumer's calls. `flow` keeps them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec import Struct


class Rate(Struct, frozen=True):
    """At most so many calls in each such time, evenly spread: `Rate(10, timedelta(seconds=1))`."""

    calls: int
    per: timedelta

    @property
    def interval(self) -> timedelta:
        """The time from one call to the next."""
        return self.per / self.calls


class Flow(Struct, frozen=True):
    """The limits of an external consumer, over all workers together.

    Args:
        rate: how often it calls.
        at_once: how many of its calls are under way at a time.
        key: what a call is about, such as the host that it goes to.
        at_once_per_key: how many of its calls with the same key are under way at a time.
    """

    rate: Rate | None = None
    at_once: int | None = None
    key: Callable[[Any], str] | None = None
    at_once_per_key: int | None = None
