"""Whatever goes wrong between a commit and its effect elsewhere goes wrong here, and nothing may come of it.

Wake-ups are dropped, doubled, delayed and overtake each other; workers die before any of their statements, and nobody
is told. The sweep, the routines and the operator who replays dead letters are all there is to make up for it.
"""

from functools import partial

from billing.gateways import OutcomeUnknown
from config.simulation.world import Died, World
from integration.messaging.claim import due_delivery_queues
from integration.messaging.dead_letters import replay
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Status
from integration.messaging.routines import Routine, routines
from integration.messaging.wakeups import DeliveryQueue, wake

DROPPED, DOUBLED, DELAYED = 0.10, 0.10, 0.15
DYING, LONGEST_LIFE = 0.25, 40
"""The share of wake-ups at which the worker dies, and within how many statements."""
USUAL_WAY, LONG_WAY = 0.02, 15.0
"""Seconds a wake-up takes, on average: as a rule, and when it is delayed."""
SWEEP, REPLAY = 1.0, 900.0
"""Seconds from one sweep to the next, and from one look at the dead letters to the next."""


class Workers:
    """A broker that cannot be trusted, workers that die, and beat."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._rung = self._last = 0
        world.every(SWEEP, self._sweep)
        world.every(REPLAY, self._replay_dead_letters)
        for _, routine in routines.items():
            world.every(routine.interval.total_seconds(), partial(self._run, routine))

    def wake(self, delivery_queue: DeliveryQueue) -> None:
        """Take a wake-up, and let it arrive never, once or twice."""
        world, self._rung = self.world, self._rung + 1
        world.tally["wake-ups"] += 1
        if world.chances(DROPPED):
            world.tally["wake-ups dropped"] += 1
            return
        doubled, delayed = world.chances(DOUBLED), world.chances(DELAYED)
        world.tally["wake-ups doubled"] += doubled
        world.tally["wake-ups delayed"] += delayed
        for _ in range(1 + doubled):
            world.after(world.soon(LONG_WAY if delayed else USUAL_WAY), self._work, delivery_queue, self._rung)

    def _work(self, delivery_queue: DeliveryQueue, number: int) -> None:
        self.world.tally["wake-ups overtaken"] += number < self._last
        self._last = max(number, self._last)
        try:
            with self.world.mortal(DYING, LONGEST_LIFE):
                self.world.tally["attempts"] += deliver_due(delivery_queue)
        except Died:
            return

    def _sweep(self) -> None:
        wake(due_delivery_queues())

    def _run(self, routine: Routine) -> None:
        try:
            with self.world.mortal(DYING, LONGEST_LIFE):
                routine.run()
        except Died:
            return
        except OutcomeUnknown:
            self.world.tally["routines that could not reach the provider"] += 1

    def _replay_dead_letters(self) -> None:
        self.world.tally["dead letters replayed"] += replay(Delivery.objects.filter(status=Status.DEAD))
