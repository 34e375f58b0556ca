"""Times the most frequent operations on the growing tables, one by one, in a process that does nothing else."""

import random
import time
from collections.abc import Callable
from functools import cache
from statistics import median
from typing import Any

import django

django.setup()

from django.db import transaction  # noqa: E402

from integration.domain import clock  # noqa: E402
from integration.domain.identifiers import new_event_id  # noqa: E402
from integration.messaging.archive import BATCH, archive_batch  # noqa: E402
from integration.messaging.claim import BATCH as CLAIMED  # noqa: E402
from integration.messaging.claim import claim  # noqa: E402
from integration.messaging.models import Delivery, Message, Status  # noqa: E402
from integration.messaging.wakeups import DeliveryQueue  # noqa: E402
from ordering.models import History, Order  # noqa: E402
from tests.bench.processes import serve_calls  # noqa: E402

AT_ONCE = 20
"""Orders whose rows are inserted in one transaction."""


def do(first: int, orders: int, times: int) -> dict[str, float]:
    """Return the median milliseconds of each operation, among `orders` orders with numbers from `first` on."""
    rows = _rows_of(f"R-{first}")
    found = {
        "insert": _median(times, lambda: _insert(rows)),
        "claim": _median(times, lambda: claim(DeliveryQueue("billing", False), CLAIMED)),
        "look up": _median(times * 5, lambda: _look_up(f"R-{first + random.randrange(orders)}")),
        "archive": _median(max(times // 10, 1), lambda: archive_batch(BATCH)),
    }
    Delivery.objects.filter(status=Status.PENDING).update(status=Status.DONE, done_at=clock.now())
    return found


@cache
def _rows_of(number: str) -> list[list[Any]]:
    """Return an order's history, messages and deliveries; cached before the first archiving removes some.

    Raises `LookupError` if any of the three is missing.
    """
    order = Order.objects.get(number=number)
    messages = list(Message.objects.filter(correlation_id=order.correlation_id))
    rows = [
        list(History.objects.filter(stream=Order.stream, stream_id=order.number)),
        messages,
        list(Delivery.objects.filter(message__in=messages)),
    ]
    if not all(rows):
        raise LookupError(f"{number} lacks history, messages or deliveries")
    return rows


def _insert(rows: list[list[Any]]) -> None:
    """Insert copies of the rows for more orders, with pending deliveries: one transaction, three statements."""
    now = clock.now()
    events, messages, deliveries = [], [], []
    for _ in range(AT_ONCE):
        story, ids = new_event_id(), {message.pk: new_event_id() for message in rows[1]}
        number = f"R-{story.hex}"
        given = {"occurred_at": now, "correlation_id": story}
        events += [_copy(each, id=new_event_id(), stream_id=number, **given) for each in rows[0]]
        messages += [_copy(each, id=ids[each.pk], **given) for each in rows[1]]
        waiting = {"status": Status.PENDING, "attempts": 0, "due_at": now, "done_at": None}
        deliveries += [_copy(each, id=None, message_id=ids[each.message_id], **waiting) for each in rows[2]]
    with transaction.atomic():
        for table, copies in ((History, events), (Message, messages), (Delivery, deliveries)):
            table.objects.bulk_create(copies)


def _copy(row: Any, **changes: Any) -> Any:
    return type(row)(**{field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields} | changes)


def _look_up(number: str) -> None:
    if not list(History.objects.filter(stream=Order.stream, stream_id=number).order_by("version")):
        raise LookupError(f"{number} has no history")


def _median(times: int, act: Callable[[], Any]) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return median(taken) * 1000


if __name__ == "__main__":
    serve_calls(do)
