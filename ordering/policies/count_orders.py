"""Orders are counted as they are placed, confirmed and cancelled, once that is committed; no statement more."""

from typing import NamedTuple

from django.db import transaction
from prometheus_client import Counter, Histogram

from integration.aggregates.unit_of_work import current_unit_of_work
from integration.measuring import MINUTES
from integration.policies import whenever
from ordering import events
from ordering.models import Order

CHANGES = Counter("waybill_order_changes", "Orders that were placed, confirmed and cancelled.", ["change", "reason"])
CONFIRMATION_SECONDS = Histogram(
    "waybill_order_confirmation_seconds", "Time from placing an order to its confirmation.", buckets=MINUTES
)


class Change(NamedTuple):
    """What became of an order, and after how many seconds it was confirmed."""

    name: str
    reason: str = ""
    seconds: float | None = None


@whenever(events.OrderPlaced)
def count_placed_order(event: events.OrderPlaced) -> None:
    current_unit_of_work().defer(_count_after_commit, Change("placed"))


@whenever(events.OrderConfirmed)
def count_confirmed_order(event: events.OrderConfirmed) -> None:
    work = current_unit_of_work()
    order = work.look_at(Order, [event.order])[event.order]  # in use, so nothing is read
    seconds = max((order.updated_at - order.created_at).total_seconds(), 0.0)
    work.defer(_count_after_commit, Change("confirmed", seconds=seconds))


@whenever(events.OrderCancelled)
def count_cancelled_order(event: events.OrderCancelled) -> None:
    current_unit_of_work().defer(_count_after_commit, Change("cancelled", event.reason))


def _count_after_commit(changes: list[Change]) -> None:
    def count_them() -> None:
        for name, reason, seconds in changes:
            CHANGES.labels(name, reason).inc()
            if seconds is not None:
                CONFIRMATION_SECONDS.observe(seconds)

    # A named function, not a partial: Django logs the name of a callback that fails, and a partial has none.
    transaction.on_commit(count_them, robust=True)
