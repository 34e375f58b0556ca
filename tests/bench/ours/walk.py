"""Takes orders the whole way in one process, and tells what each part of it took: of the processor, and where."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402

from integration.messaging.deliver import deliver_due  # noqa: E402
from integration.messaging.wakeups import DeliveryQueue, wakeups_handled_by  # noqa: E402
from integration.read_models.catch_up import catch_up_all  # noqa: E402
from tests.bench.clocks import cpu_of  # noqa: E402
from tests.bench.crew import work  # noqa: E402
from tests.bench.ours.furnish import react  # noqa: E402
from tests.bench.ours.place import do as place_all  # noqa: E402
from tests.system.running_system import ROOT  # noqa: E402

AT_ONCE = 20
"""So many orders are placed, then handled together: about as many as wait for a worker that is busy."""
LOOK_EVERY = 0.002
"""Seconds of the processor's time."""


def walk(orders: int, skus: int, lines: int = 3) -> dict[str, Any]:
    """Take orders the whole way, in groups.

    Args:
        orders, lines: how many, with how many lines each.
        skus: over so many skus they are spread.

    Returns:
        By part, the milliseconds of CPU that an order took of this process and of its PostgreSQL, if it has one; and by
        where this process spent its own, how often it was seen there.
    """
    took: dict[str, Counter[str]] = {}
    called: dict[DeliveryQueue, None] = {}
    with wakeups_handled_by(called.setdefault), watched() as seen:
        for begun in range(0, orders, AT_ONCE):
            parts: dict[str, Callable[[], object]] = {
                "placing": partial(place_all, min(AT_ONCE, orders - begun), lines, skus),
                "reactions": partial(go_where, called),
                "read models": catch_up_all,
            }
            for part, do in parts.items():
                before = spent()
                do()
                took.setdefault(part, Counter()).update(
                    {who: (after - before[who]) * 1000 / orders for who, after in spent().items()}
                )
    react()  # to what came too early for all of that, if anything did; nobody pays for it
    return {"took": took, "seen": seen}


def go_where(called: dict[DeliveryQueue, None]) -> None:
    """Handle what is due where a worker would be woken, until nobody is called for any more."""
    while called:
        delivery_queue = next(iter(called))
        del called[delivery_queue]
        deliver_due(delivery_queue)


def spent() -> dict[str, float]:
    """Seconds of CPU so far."""
    connection.ensure_connection()
    python = {"Python": time.process_time()}
    if connection.vendor != "postgresql":
        return python
    return {**python, "PostgreSQL": cpu_of(connection.connection.info.backend_pid)}


@contextmanager
def watched() -> Iterator[Counter[str]]:
    """Look again and again where this process is, meanwhile, whenever it has worked for a while."""
    seen: Counter[str] = Counter()

    def look(number: int, frame: FrameType | None) -> None:
        seen[_room_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, LOOK_EVERY, LOOK_EVERY)
    try:
        yield seen
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _room_of(frame: FrameType | None) -> str:
    """The library, or the room of ours, whose code is the innermost that is neither Python's own nor of this file."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if "site-packages" in path.parts:
            return path.parts[path.parts.index("site-packages") + 1]
        if path.is_relative_to(ROOT) and path != Path(__file__):
            room = path.relative_to(ROOT).parts
            return "/".join(room[:2]) if room[0] == "integration" else room[0]
        frame = frame.f_back
    return "Python"


if __name__ == "__main__":
    work(walk)
