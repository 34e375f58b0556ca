"""An aggregate records an event, and the event is dispatched to three handlers that do nothing; nothing is stored."""

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
from tests.bench.crew import work  # noqa: E402
from tests.bench.ours.goods import sku  # noqa: E402


def first(event: StockReceived) -> None:
    """A handler."""


def second(event: StockReceived) -> None:
    """A handler."""


def third(event: StockReceived) -> None:
    """A handler."""


for handler in (first, second, third):
    dispatcher.subscribe(StockReceived, handler)


def do(times: int) -> dict[str, float]:
    """The seconds that so many of them take, and how many of these are the dispatching's."""
    with new_story(), transaction.atomic():
        item = StockItem.open(sku(0))
        began = time.perf_counter()
        for _ in range(times):
            item.record(StockReceived(1, ""))
        recorded = time.perf_counter()
        dispatcher.dispatch(item.recorded_events[-times:], in_transaction=True)
        return {"all": time.perf_counter() - began, "dispatch": time.perf_counter() - recorded}


def steps(times: int) -> dict[str, float]:
    """The microseconds that each of what an event is made of takes by itself."""
    parts = {"its id": new_event_id, "its moment": clock.now, "the fact": lambda: StockReceived(1, "")}
    return {part: timeit(make, number=times) * 1e6 / times for part, make in parts.items()}


def told(times: int, what: str = "do") -> dict[str, float]:
    """Either of the two."""
    return {"do": do, "steps": steps}[what](times)


if __name__ == "__main__":
    work(told)
