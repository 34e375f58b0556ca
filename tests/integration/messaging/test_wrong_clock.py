"""Deliveries written by a clock that was ahead, or before the clock was set back, do not wait for that time to come."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.domain.errors import NotYet
from integration.messaging.back_off import bring_forward
from integration.messaging.claim import BATCH, claim
from integration.messaging.models import Delivery
from integration.messaging.retries import Retries
from integration.messaging.routines import routines
from integration.messaging.wakeups import DeliveryQueue
from inventory.commands import open_stock_item
from inventory.models import StockItem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

IN_TRANSACTION = DeliveryQueue("inventory", False)
SET_BACK = [timedelta(minutes=2), timedelta(hours=1)]

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Find = Callable[..., Delivery]


def _open(event: StockRanOut) -> None:
    open_stock_item(event.sku)


def _fail(event: StockRanOut) -> None:
    raise ArithmeticError


def _come_too_early(event: StockRanOut) -> None:
    raise NotYet("the item is unknown")


@pytest.mark.parametrize("by", SET_BACK)
def test_a_new_delivery_is_brought_forward(listen: Listen, run_out: RunOut, deliver: Deliver, by: timedelta) -> None:
    listen(_open)
    with clock.moved(by):
        run_out("MUG")
    assert deliver() == 0

    bring_forward()

    assert deliver() == 1
    assert StockItem.objects.get().sku == "MUG"


@pytest.mark.parametrize("by", [timedelta(seconds=2), *SET_BACK])
def test_a_delivery_that_was_lost_with_its_worker_is_brought_forward(
    listen: Listen, run_out: RunOut, deliver: Deliver, by: timedelta
) -> None:
    listen(_open)
    run_out("MUG")
    with clock.moved(by):
        assert claim(IN_TRANSACTION, BATCH)
    assert deliver() == 0

    bring_forward()

    assert deliver() == 1


def test_a_delivery_that_waits_for_its_next_attempt_longer_than_its_schedule_allows_is_brought_forward(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    listen(_fail)
    run_out("MUG")
    with clock.moved(timedelta(hours=1)):
        deliver()
    assert deliver() == 0

    bring_forward()

    assert deliver() == 1


@pytest.mark.parametrize("handler", [_fail, _come_too_early])
def test_a_wait_that_waybill_has_set_stays(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, handler: Callable[[StockRanOut], None]
) -> None:
    listen(handler)
    run_out("MUG")
    deliver()
    due_at = delivery().due_at

    bring_forward()

    assert delivery().due_at == due_at


def test_the_longest_wait_stays(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, settings: Settings
) -> None:
    settings.DELIVERY_MAX_ATTEMPTS = 8
    listen(_fail)
    run_out("MUG")
    Delivery.objects.update(attempts=6)
    deliver()
    assert delivery().attempts == 7
    assert delivery().due_at > clock.now() + timedelta(seconds=30)
    due_at = delivery().due_at

    bring_forward()

    assert delivery().due_at == due_at


@pytest.mark.parametrize("external", [True, False])
def test_only_an_external_system_can_ask_for_a_longer_wait_than_the_schedule_has(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find, external: bool
) -> None:
    listen(_fail, external=external, retries=Retries(attempts=4, longest_wait=timedelta(hours=1)))
    run_out("MUG")
    deliver()
    Delivery.objects.update(due_at=clock.now() + timedelta(minutes=30))

    bring_forward()

    assert (delivery().due_at > clock.now()) is external


def test_the_lease_of_a_worker_stays(listen: Listen, run_out: RunOut, delivery: Find) -> None:
    listen(_open)
    run_out("MUG")
    claim(IN_TRANSACTION, BATCH)
    due_at = delivery().due_at

    bring_forward()

    assert delivery().due_at == due_at


def test_a_parked_delivery_stays(run_out: RunOut, deliver: Deliver, delivery: Find, listen: Listen) -> None:
    listen(_open)
    run_out("MUG")
    Delivery.objects.update(consumer="inventory.of-newer-code")
    deliver()

    bring_forward()

    assert delivery().due_at is None


def test_a_delivery_that_is_too_early_is_not_tried_without_pause_after_the_clock_was_set_back(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    listen(_come_too_early)
    run_out("MUG")
    with clock.moved(timedelta(hours=1)):
        deliver()
    bring_forward()

    deliver()

    assert delivery().uncharged_since == clock.now()


def test_deliveries_are_brought_forward_often_enough_to_heal_within_seconds() -> None:
    assert routines.get("integration.bring-deliveries-forward").interval <= timedelta(seconds=5)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the plan is PostgreSQL's")
def test_what_is_far_ahead_is_found_by_the_index() -> None:
    with CaptureQueriesContext(connection) as seen:
        bring_forward()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # the table is empty
        plans = []
        for query in seen.captured_queries:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    assert plans
    for plan in plans:
        assert any("Index Cond" in line and "due_at >" in line for line in plan.splitlines()), plan
