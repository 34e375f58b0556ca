"""Work that is due because time passes: Celery beat has the workers run routines, each under its own wire name."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from msgspec import Struct

from integration.domain.naming import WireNames


class Routine(Struct, frozen=True):
    """Something a context does at a fixed interval.

    Deadlines are rows, and a routine looks for those that have passed. So the result does not depend on when, how often
    or on how many machines at once it runs.
    """

    name: str
    interval: timedelta
    run: Callable[[], None]
    external: bool = False
    """Whether it calls an external system, and so has a thread of its own."""

    @property
    def context(self) -> str:
        """The context whose workers run the routine."""
        return self.name.partition(".")[0]


routines: WireNames[Routine] = WireNames("routine")


def register(routine: Routine, formerly: Sequence[str] = ()) -> None:
    """Add the routine to those that beat schedules.

    Args:
        routine: what to register.
        formerly: the wire names that it had before; tasks under them run it.
    """
    routines.add(routine.name, routine, formerly)
