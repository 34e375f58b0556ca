"""Everything that can fail between a commit and its effects fails here, and no effect may be lost or doubled.

Wake-ups are dropped, doubled, delayed and overtake each other. Workers die before any of their statements, without a
trace. Only the sweep, the routines and an operator who replays dead letters repair that.
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
"""The share of wake-ups that kill the worker, and within how many statements."""
USUAL_DELAY, LONG_DELAY = 0.02, 15.0
"""Mean seconds until a wake-up arrives, and until a delayed one arrives."""
SWEEP, REPLAY = 1.0, 900.0
"""Seconds from one sweep to the next, and from one replay of dead letters to the next."""


class Workers:
    """An unreliable broker, workers that die, and beat."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._sent = self._last = 0
        world.every(SWEEP, self._sweep)
        world.every(REPLAY, self._replay_dead_letters)
        for _, routine in routines.items():
            world.every(routine.interval.total_seconds(), partial(self._run, routine))

    def wake(self, delivery_queue: DeliveryQueue) -> None:
        """Accept a wake-up, and deliver it never, once or twice."""
        world, self._sent = self.world, self._sent + 1
        world.tally["wake-ups"] += 1
        if world.chances(DROPPED):
            world.tally["wake-ups dropped"] += 1
            return
        doubled, delayed = world.chances(DOUBLED), world.chances(DELAYED)
        world.tally["wake-ups doubled"] += doubled
        world.tally["wake-ups delayed"] += delayed
        for _ in range(1 + doubled):
            world.after(world.soon(LONG_DELAY if delayed else USUAL_DELAY), self._work, delivery_queue, self._sent)

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
