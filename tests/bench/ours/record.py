"""An aggregate records an event, and the event is dispatched to three handlers that do nothing; nothing is stored."""

import time

import django

django.setup()

from django.db import transaction  # noqa: E402

from integration.domain import dispatcher  # noqa: E402
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
        dispatcher.dispatch(item.recorded_events[-times:])
        return {"all": time.perf_counter() - began, "dispatch": time.perf_counter() - recorded}


if __name__ == "__main__":
    work(do)
