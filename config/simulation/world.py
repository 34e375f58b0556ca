"""Time passes only from one thing that happens to the next, and all chance is drawn from the seed.

So the same seed tells the same history, to the identifier and the microsecond, on every machine.
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
    """The process ended here, and nobody in it may take notice."""


class World:
    """What is going to happen when, and how often what has happened.

    Args:
        seed: whatever is left to chance follows from it.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - no secret hangs on it
        self.tally: Counter[str] = Counter()
        self.offenders: list[str] = []
        self._seed = seed
        self._ahead: list[tuple[datetime, int, Callable[[], object], bool]] = []
        self._tickets = count()
        self._wanted = 0

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Let the clock, the event ids and Python's own chance be this world's."""
        chance_before = chance.getstate()
        with ExitStack() as stack:
            stack.callback(chance.setstate, chance_before)
            stack.enter_context(clock.standing_at(BEGINNING))
            stack.enter_context(event_ids_made_by(partial(_next_event_id, count())))
            chance.seed(self._seed)
            yield

    @property
    def elapsed(self) -> timedelta:
        """How long the world has been there."""
        return clock.now() - BEGINNING

    @property
    def awaits_something(self) -> bool:
        """Whether anything is ahead besides what happens again and again."""
        return self._wanted > 0

    def after(self, seconds: float, do: Callable[..., object], *args: Any) -> None:
        """Have something happen, so many seconds from now."""
        self._wanted += 1
        self._put(seconds, partial(do, *args), once=True)

    def every(self, seconds: float, do: Callable[[], object]) -> None:
        """Have something happen again and again."""

        def again() -> None:
            self._put(seconds, again, once=False)
            do()

        self._put(seconds, again, once=False)

    def go_on(self) -> None:
        """Let the next thing happen."""
        moment, _, do, once = heappop(self._ahead)
        clock.advance(moment - clock.now())
        self._wanted -= once
        do()

    def chances(self, share: float) -> bool:
        """Whether what happens in such a share of cases happens in this one."""
        return self.random.random() < share

    def soon(self, mean: float) -> float:
        """Some seconds: most often few, now and then many times the mean."""
        return self.random.expovariate(1 / mean)

    @contextmanager
    def mortal(self, share: float, most_statements: int) -> Iterator[None]:
        """Let what runs inside die before one of its statements in a share of cases.

        Raises:
            Died: if that is what happened; what was not committed is lost.
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
    """A UUIDv7 of the world's clock, with a number where others have chance: it still sorts by its making."""
    milliseconds = int(clock.now().timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | next(numbers))
