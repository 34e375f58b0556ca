"""A scenario is an order in which deliveries reach their consumers. A flow must end the same in every scenario.

A scenario claims and handles deliveries with the real code, without a broker, one delivery at a time: a step. A crash
at a step rolls the step back. Deliveries that the worker had claimed become due again when their lease has passed.
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
from tests.chaos.flows import Flow, World, draining_with


class Crash(BaseException):
    """The death of a worker. It is no `Exception`, so that no handler of the worker catches it."""


class Worker:
    """Claims all due deliveries, and handles them one by one in an order of its own.

    Args:
        pick: takes a number of claims, and returns the index of the next one.
        crash_at: the number of the step at which the worker dies.
        doubled: whether each delivery is handled twice, as if its done-mark were lost once.
    """

    def __init__(self, pick: Callable[[int], int], *, crash_at: int | None = None, doubled: bool = False) -> None:
        self.pick, self.crash_at, self.doubled = pick, crash_at, doubled
        self.steps = 0
        self._claims: list[Claim] = []
        self._handled_twice: set[int] = set()

    def __call__(self, delivery_queues: list[DeliveryQueue]) -> bool:
        """Claim what is due in these delivery queues, and take one step; returns whether claims are left."""
        for delivery_queue in delivery_queues:
            self._claims += claim(delivery_queue, BATCH)
        if self._claims:
            self.steps += 1
            self._step(self._claims.pop(self.pick(len(self._claims))))
        return bool(self._claims)

    def _step(self, taken: Claim) -> None:
        try:
            with _crash_before_the_commit() if self.steps == self.crash_at else nullcontext():
                deliver._attempt(taken.consumer, [taken], [])
        except Crash:
            self._claims.clear()
        if self.doubled and taken.id not in self._handled_twice:
            self._handled_twice.add(taken.id)
            done = Delivery.objects.filter(pk=taken.id, status=Status.DONE)
            done.update(status=Status.PENDING, done_at=None, attempts=0, due_at=clock.now())


@contextmanager
def _crash_before_the_commit() -> Iterator[None]:
    def crash(*args: Any) -> NoReturn:
        raise Crash

    with ExitStack() as stack:
        for module, last_call in ((deliver, "mark_done"), (external, "mark_done"), (outcomes, "record_failure")):
            stack.enter_context(mock.patch.object(module, last_call, crash))
        yield


@dataclass(frozen=True)
class Scenario:
    """A way to drain, such as `Scenario.shuffled(7).twice().crashing(3)`."""

    seed: int | None = None
    doubled: bool = False
    crash_at: int | None = None

    @classmethod
    def in_order(cls) -> Self:
        """Deliveries are handled oldest first."""
        return cls()

    @classmethod
    def shuffled(cls, seed: int) -> Self:
        """Deliveries are handled in a random order, which depends only on the seed."""
        return cls(seed)

    def twice(self) -> "Scenario":
        """The same scenario, with each delivery handled twice."""
        return Scenario(self.seed, True, self.crash_at)

    def crashing(self, at: int) -> "Scenario":
        """The same scenario, with a worker that dies at the step number `at`."""
        return Scenario(self.seed, self.doubled, at)

    def worker(self) -> Worker:
        """A worker that handles deliveries in this way."""
        random = Random(self.seed)
        pick = (lambda n: 0) if self.seed is None else random.randrange
        return Worker(pick, crash_at=self.crash_at, doubled=self.doubled)

    def play(self, flow: Flow) -> tuple[int, list[str]]:
        """Run a flow in a filled database, and roll everything back.

        Returns:
            The number of steps, and the violations at the end.
        """
        world, worker = World(str(self)), self.worker()
        with clock.standing_at(clock.now()), transaction.atomic():
            with draining_with(worker):
                flow.run(world)
            violations = judge(world, flow.ends)
            transaction.set_rollback(True)
        return worker.steps, violations
