"""What happens because time passes: routines that beat has the workers run, each under a wire name of its own."""

from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct

from integration.domain.naming import WireNames


class Routine(Struct, frozen=True):
    """Something a context does every so often.

    Deadlines are rows; a routine looks for those that have passed. So it does not matter when, how often or on how many
    machines at once it runs.
    """

    name: str
    interval: timedelta
    run: Callable[[], None]

    @property
    def context(self) -> str:
        """The context whose workers run it."""
        return self.name.partition(".")[0]


routines: WireNames[Routine] = WireNames("routine")


def register(routine: Routine) -> None:
    """Have beat run it from now on."""
    routines.add(routine.name, routine)
