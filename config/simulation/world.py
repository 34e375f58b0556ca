"""The virtual clock moves from one scheduled action to the next, and all random choices come from the seed.

So the same seed gives the same history on every machine, down to identifiers and microseconds.
"""

import random as chance
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from django.db import connection

from integration.domain import clock
from integration.domain.identifiers import event_ids_made_by

BEGINNING = datetime(2026, 1, 5, 8, tzinfo=UTC)


class Died(BaseException):
    """The simulated process was killed here. A `BaseException`, so that no handler catches it."""


class World:
    """The schedule of actions, and counts of what has happened.

    Args:
        seed: the seed of all random choices.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - not for secrets
        self.tally: Counter[str] = Counter()
        self.offenders: list[str] = []
        self._seed = seed
        self._ahead: list[tuple[datetime, int, Callable[[], object], bool]] = []
        self._tickets = count()
        self._wanted = 0

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Within the block the clock, the event ids and the module `random` are this world's."""
        chance_before = chance.getstate()
        with ExitStack() as stack:
            stack.callback(chance.setstate, chance_before)
            stack.enter_context(clock.standing_at(BEGINNING))
            stack.enter_context(event_ids_made_by(partial(_next_event_id, count())))
            chance.seed(self._seed)
            yield

    @property
    def elapsed(self) -> timedelta:
        """How much virtual time has passed."""
        return clock.now() - BEGINNING

    @property
    def awaits_something(self) -> bool:
        """Whether an action is scheduled that does not repeat."""
        return self._wanted > 0

    def after(self, seconds: float, do: Callable[..., object], *args: Any) -> None:
        """Schedule an action in `seconds` from now."""
        self._wanted += 1
        self._put(seconds, partial(do, *args), once=True)

    def every(self, seconds: float, do: Callable[[], object]) -> None:
        """Schedule an action that repeats every `seconds`."""

        def again() -> None:
            self._put(seconds, again, once=False)
            do()

        self._put(seconds, again, once=False)

    def go_on(self) -> None:
        """Move the clock to the next action and run it."""
        moment, _, do, once = heappop(self._ahead)
        clock.advance(moment - clock.now())
        self._wanted -= once
        do()

    def chances(self, share: float) -> bool:
        """True with the probability `share`, from 0 to 1."""
        return self.random.random() < share

    def soon(self, mean: float) -> float:
        """Random seconds of an exponential distribution: usually few, at times many times the mean."""
        return self.random.expovariate(1 / mean)

    @contextmanager
    def mortal(self, share: float, most_statements: int) -> Iterator[None]:
        """With the probability `share`, kill the block before one of its first `most_statements` statements.

        Raises:
            Died: when the block is killed; its uncommitted changes are lost.
        """
        left = self.random.randint(1, most_statements) if self.chances(share) else 0

        def die_before(execute: Callable[..., Any], *args: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                self.tally["crashes"] += 1
                raise Died
            return execute(*args)

        with connection.execute_wrapper(die_before):
            yield

    def _put(self, seconds: float, do: Callable[[], object], once: bool) -> None:
        heappush(self._ahead, (clock.now() + timedelta(seconds=seconds), next(self._tickets), do, once))


def _next_event_id(numbers: Iterator[int]) -> UUID:
    """A UUIDv7 of the virtual clock, with a counter instead of random bits; it sorts by its creation."""
    milliseconds = int(clock.now().timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | next(numbers))
