"""Takes orders from placing to shipment in one process, and measures the CPU time of each part and where it went."""

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
from tests.bench.ours.place import do as place_all  # noqa: E402
from tests.bench.ours.set_up import react  # noqa: E402
from tests.bench.processes import serve_calls  # noqa: E402
from tests.system.running_system import ROOT  # noqa: E402

AT_ONCE = 20
"""Orders that are placed and then handled together, about as many as a busy worker finds pending."""
SAMPLE_INTERVAL = 0.002
"""Seconds of CPU time between two samples."""


def take_orders(orders: int, skus: int, lines: int = 3) -> dict[str, Any]:
    """Take orders from placing to shipment, in groups.

    Args:
        orders, lines: the number of orders, and of lines of each.
        skus: the number of SKUs that the lines are spread over.

    Returns:
        `took`: by part, the CPU milliseconds of an order in this process and, if there is one, in its PostgreSQL
        connection. `seen`: by package, the number of samples that found this process in it.
    """
    took: dict[str, Counter[str]] = {}
    woken: dict[DeliveryQueue, None] = {}
    with wakeups_handled_by(woken.setdefault), sampled() as seen:
        for begun in range(0, orders, AT_ONCE):
            parts: dict[str, Callable[[], object]] = {
                "placing": partial(place_all, min(AT_ONCE, orders - begun), lines, skus),
                "reactions": partial(deliver_woken, woken),
                "read models": catch_up_all,
            }
            for part, do in parts.items():
                before = spent()
                do()
                took.setdefault(part, Counter()).update(
                    {who: (after - before[who]) * 1000 / orders for who, after in spent().items()}
                )
    react()  # Retry deliveries whose message came too early. Their time is not counted.
    return {"took": took, "seen": seen}


def deliver_woken(woken: dict[DeliveryQueue, None]) -> None:
    """Deliver in each queue with a wake-up, until no wake-up is left."""
    while woken:
        delivery_queue = next(iter(woken))
        del woken[delivery_queue]
        deliver_due(delivery_queue)


def spent() -> dict[str, float]:
    """Return the CPU seconds used so far, by this process and by its PostgreSQL connection."""
    connection.ensure_connection()
    python = {"Python": time.process_time()}
    if connection.vendor != "postgresql":
        return python
    return {**python, "PostgreSQL": cpu_of(connection.connection.info.backend_pid)}


@contextmanager
def sampled() -> Iterator[Counter[str]]:
    """Sample the package this process runs in, each time it has used another `SAMPLE_INTERVAL` of CPU time."""
    seen: Counter[str] = Counter()

    def sample(number: int, frame: FrameType | None) -> None:
        seen[_package_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_INTERVAL, SAMPLE_INTERVAL)
    try:
        yield seen
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _package_of(frame: FrameType | None) -> str:
    """Return the library or package of ours with the innermost frame; skips Python's own library and this file."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if "site-packages" in path.parts:
            return path.parts[path.parts.index("site-packages") + 1]
        if path.is_relative_to(ROOT) and path != Path(__file__):
            package = path.relative_to(ROOT).parts
            return "/".join(package[:2]) if package[0] == "integration" else package[0]
        frame = frame.f_back
    return "Python"


if __name__ == "__main__":
    serve_calls(take_orders)
