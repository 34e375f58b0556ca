"""A scenario is one way in which deliveries may reach their consumers; whichever it is, a flow must end the same.

It claims and handles with the real code, without a broker, one delivery at a time: a step. A crash at a step takes back
what the step did, and with the worker goes all it had claimed: that comes up again when its lease has passed.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from random import Random
from typing import Any, NoReturn, Self
from unittest import mock

from django.db import transaction

from integration.domain import clock
from integration.messaging import deliver, external, outcomes
from integration.messaging.claim import BATCH, Claim, claim
from integration.messaging.models import Delivery, Status
from integration.messaging.wakeups import DeliveryQueue
from tests.chaos.crash_matrix import judge
from tests.chaos.flows import Flow, World, drained


class Crash(BaseException):
    """The worker is gone, and nobody in it may take notice."""


class Worker:
    """Claims all that is due and handles it one by one, in the order its `pick` says.

    Args:
        pick: which of so many claims is next.
        crash_at: the number of the step it does not survive.
        doubled: whether every delivery is handled again after it was done, as if nobody had noted that it was.
    """

    def __init__(self, pick: Callable[[int], int], *, crash_at: int | None = None, doubled: bool = False) -> None:
        self.pick, self.crash_at, self.doubled = pick, crash_at, doubled
        self.steps = 0
        self._claims: list[Claim] = []
        self._told_twice: set[int] = set()

    def __call__(self, delivery_queues: list[DeliveryQueue]) -> bool:
        """Claim what is due in the lanes and take one step; returns whether there is more to do."""
        for delivery_queue in delivery_queues:
            self._claims += claim(delivery_queue, BATCH)
        if self._claims:
            self.steps += 1
            self._step(self._claims.pop(self.pick(len(self._claims))))
        return bool(self._claims)

    def _step(self, taken: Claim) -> None:
        try:
            with _dying_before_the_commit() if self.steps == self.crash_at else nullcontext():
                deliver._attempt(taken.consumer, [taken], [])
        except Crash:
            self._claims.clear()
        if self.doubled and taken.id not in self._told_twice:
            self._told_twice.add(taken.id)
            done = Delivery.objects.filter(pk=taken.id, status=Status.DONE)
            done.update(status=Status.PENDING, done_at=None, attempts=0, due_at=clock.now())


@contextmanager
def _dying_before_the_commit() -> Iterator[None]:
    def die(*args: Any) -> NoReturn:
        raise Crash

    with ExitStack() as stack:
        for module, last_thing_done in ((deliver, "mark_done"), (external, "mark_done"), (outcomes, "record_failure")):
            stack.enter_context(mock.patch.object(module, last_thing_done, die))
        yield


@dataclass(frozen=True)
class Scenario:
    """One way of draining: `Scenario.shuffled(7).twice().crashing(3)`."""

    seed: int | None = None
    doubled: bool = False
    crash_at: int | None = None

    @classmethod
    def in_order(cls) -> Self:
        """Oldest first."""
        return cls()

    @classmethod
    def shuffled(cls, seed: int) -> Self:
        """In any order: what is old may wait until what it led to elsewhere is done."""
        return cls(seed)

    def twice(self) -> "Scenario":
        """The same, with every delivery handled twice."""
        return Scenario(self.seed, True, self.crash_at)

    def crashing(self, at: int) -> "Scenario":
        """The same, with a worker that dies at the `at`-th step."""
        return Scenario(self.seed, self.doubled, at)

    def worker(self) -> Worker:
        """Who drains in this way."""
        random = Random(self.seed)
        pick = (lambda n: 0) if self.seed is None else random.randrange
        return Worker(pick, crash_at=self.crash_at, doubled=self.doubled)

    def play(self, flow: Flow) -> tuple[int, list[str]]:
        """Play a flow in an opened shop, and leave the shop as it was.

        Returns:
            How many steps it took, and what was wrong at its end.
        """
        world, worker = World(str(self)), self.worker()
        with clock.standing_at(clock.now()), transaction.atomic():
            with drained(worker):
                flow.run(world)
            violations = judge(world, flow.ends)
            transaction.set_rollback(True)
        return worker.steps, violations
