"""Many deliveries that this code does not know: they are parked together, and neither they nor a look at them holds up
others."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from integration.domain import clock
from integration.messaging import parking
from integration.messaging.claim import BATCH, NEWEST, claim, due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Message
from integration.messaging.parking import Kind, parked_kinds, unpark_readable
from integration.messaging.wakeups import DeliveryQueue

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Later = Callable[[timedelta], None]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stopped_clock")]


@pytest.fixture
def handled() -> list[str]:
    return []


@pytest.fixture
def many_in_front(listen: Listen, run_out: RunOut, handled: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Many due deliveries that this code cannot read; returns their number. A worker parks few of them at a time."""
    monkeypatch.setattr(parking, "AT_ONCE", 10)
    monkeypatch.setattr(parking, "LONGEST_PARKING", -1.0)
    listen(lambda event: handled.append(event.sku))
    run_out(*(f"MUG-{number}" for number in range(10 * BATCH)))
    Message.objects.update(version=2)
    return 10 * BATCH


def test_new_deliveries_do_not_wait_until_all_unknown_ones_are_parked(
    many_in_front: int, handled: list[str], run_out: RunOut, woken: list[DeliveryQueue]
) -> None:
    delivery_queue = DeliveryQueue("inventory", False)
    for number in range(3):
        run_out(f"NEW-{number}")
        woken.clear()
        deliver_due(delivery_queue)
        assert handled[-1] == f"NEW-{number}"
        assert delivery_queue in woken, "the worker makes way for others, and goes on later"

    assert 0 < Delivery.objects.filter(due_at=None).count() < many_in_front

    while due_delivery_queues():
        deliver_due(delivery_queue)
    assert handled == ["NEW-0", "NEW-1", "NEW-2"]
    assert Delivery.objects.filter(due_at=None, error__startswith="Parked: ", attempts=0).count() == many_in_front


def test_all_unknown_ones_are_parked_at_once_while_there_is_time(
    many_in_front: int, handled: list[str], run_out: RunOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "LONGEST_PARKING", 1.0)
    run_out("NEW")

    deliver_due(DeliveryQueue("inventory", False))

    assert Delivery.objects.filter(due_at=None).count() == many_in_front
    assert handled == ["NEW"]


def test_deliveries_that_are_readable_are_handled_in_their_order_again(
    many_in_front: int, handled: list[str], run_out: RunOut
) -> None:
    run_out("NEW-1", "NEW-2", "NEW-3")
    while due_delivery_queues():
        deliver_due(DeliveryQueue("inventory", False))
    run_out(*(f"LATER-{number}" for number in range(2 * BATCH)))

    deliver_due(DeliveryQueue("inventory", False))

    assert handled[3:] == [f"LATER-{number}" for number in range(2 * BATCH)]


def test_what_older_code_parked_is_parked_for_good(
    listen: Listen, run_out: RunOut, deliver: Deliver, later: Later
) -> None:
    listen(print)
    run_out("MUG")
    Message.objects.update(version=2)
    due_at = clock.now() + timedelta(minutes=1)
    Delivery.objects.update(error="Parked: inventory.stock-ran-out is known up to version 1", due_at=due_at)

    later(timedelta(minutes=1))
    deliver()

    assert [*parked_kinds()] == [Kind("inventory.reorder", "inventory.stock-ran-out", 2)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="reads PostgreSQL's statistics")
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("done", [0, 20_000], ids=["few_done", "many_done"])
def test_no_statement_of_a_worker_reads_parked_deliveries(
    done: int, newest_first: bool, listen: Listen, run_out: RunOut
) -> None:
    """With many done ones, statistics say that a delivery without a due time is often not parked."""
    listen(print)
    run_out("MUG")
    with connection.cursor() as cursor:
        cursor.execute(MANY_PARKED)
        cursor.execute(MANY_DONE, [done])
        cursor.execute("ANALYZE integration_delivery")
        cursor.execute("ANALYZE integration_message")
    run_out(*(f"NEW-{number}" for number in range(3)))

    def read_by(look: Callable[[], object]) -> int:
        before = _rows_read()
        look()
        return _rows_read() - before

    queue = DeliveryQueue("inventory", False)
    assert read_by(due_delivery_queues) < 100
    assert read_by(unpark_readable) < 100
    for _ in ("something is due", "nothing is due any more"):
        assert read_by(lambda: claim(queue, BATCH, newest_first)) < 100 + newest_first * (NEWEST + 100)


MANY_PARKED = """
    INSERT INTO integration_delivery
        (message_id, consumer, context, outside, status, attempts, due_at, parked_as, error, traceback,
         skip_reason, skipped_by)
    SELECT message_id, 'inventory.mend-' || n, context, outside, status, 0, NULL, 'inventory.mend x ' || n % 3,
           'Parked: ', '', '', ''
    FROM integration_delivery, generate_series(1, 20000) AS n
"""

MANY_DONE = """
    INSERT INTO integration_delivery
        (message_id, consumer, context, outside, status, attempts, due_at, done_at, error, traceback, skip_reason,
         skipped_by)
    SELECT message_id, 'inventory.count-' || n, context, outside, 'done', 1, due_at, due_at, '', '', '', ''
    FROM integration_delivery, generate_series(1, %s) AS n WHERE consumer = 'inventory.reorder'
"""


def _rows_read() -> int:
    """The number of rows and index entries that this session has read from the table of deliveries."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            """
            SELECT seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid = tables.relid)
            FROM pg_stat_user_tables AS tables WHERE relname = 'integration_delivery'
            """
        )
        return int(cursor.fetchone()[0])
