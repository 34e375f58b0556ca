"""Records events on an aggregate and dispatches them to three handlers that do nothing; nothing is stored."""

import time
from timeit import timeit

import django

django.setup()

from django.db import transaction  # noqa: E402

from integration.domain import clock, dispatcher  # noqa: E402
from integration.domain.identifiers import new_event_id  # noqa: E402
from integration.domain.metadata import new_story  # noqa: E402
from inventory.events import StockReceived  # noqa: E402
from inventory.models import StockItem  # noqa: E402
from tests.bench.ours.goods import sku  # noqa: E402
from tests.bench.processes import serve_calls  # noqa: E402


def first(event: StockReceived) -> None:
    """Do nothing."""


def second(event: StockReceived) -> None:
    """Do nothing."""


def third(event: StockReceived) -> None:
    """Do nothing."""


for handler in (first, second, third):
    dispatcher.subscribe(StockReceived, handler)


def do(times: int) -> dict[str, float]:
    """Record and dispatch this many events; returns the seconds of both together, and of the dispatch alone."""
    with new_story(), transaction.atomic():
        item = StockItem.open(sku(0))
        began = time.perf_counter()
        for _ in range(times):
            item.record(StockReceived(quantity=1, reference=""))
        recorded = time.perf_counter()
        dispatcher.dispatch(item.recorded_events[-times:], in_transaction=True)
        return {"all": time.perf_counter() - began, "dispatch": time.perf_counter() - recorded}


def steps(times: int) -> dict[str, float]:
    """Return the microseconds that each single step takes: a new ID, a timestamp, and the event object."""
    parts = {
        "its id": new_event_id,
        "its moment": clock.now,
        "the fact": lambda: StockReceived(quantity=1, reference=""),
    }
    return {part: timeit(make, number=times) * 1e6 / times for part, make in parts.items()}


def run(times: int, what: str = "do") -> dict[str, float]:
    """Call `do` or `steps`, as `what` says."""
    return {"do": do, "steps": steps}[what](times)


if __name__ == "__main__":
    serve_calls(run)
