"""Slow handlers and deadlocks: a worker holds a claim only briefly, and neither uses up an attempt."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from psycopg.errors import DeadlockDetected, LockNotAvailable
from pytest_django import Settings

from integration.aggregates.unit_of_work import current_unit_of_work
from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.messaging import deliver as delivering
from integration.messaging.claim import BATCH, LEASE, claim
from integration.messaging.deliver import deliver_due
from integration.messaging.external import claim_sizes
from integration.messaging.models import Delivery, Status
from integration.messaging.outcomes import CONFLICT_TIMEOUT
from integration.messaging.wakeups import DeliveryQueue
from integration.storage.postgresql.connection import StalePlan
from inventory.commands import open_stock_item
from inventory.models import StockItem

IN_TRANSACTION = DeliveryQueue("inventory", False)
EACH = timedelta(seconds=0.3)

Listen = Callable[..., None]
RunOut = Callable[..., None]


@pytest.fixture
def slow(listen: Listen, run_out: RunOut, stopped_clock: None, db: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fifty deliveries that take 0.3 seconds each; returns those that were handled."""
    monkeypatch.setattr(delivering, "LONGEST_CLAIM", 0.5)
    handled: list[str] = []

    def handle(event: StockRanOut) -> None:
        clock.advance(EACH)
        handled.append(event.sku)

    listen(handle)
    run_out(*(f"MUG-{n}" for n in range(BATCH)))
    return handled


def test_a_worker_releases_what_it_has_no_time_for(
    slow: list[str], woken: list[DeliveryQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "LONGEST_WAKE", -1.0)
    woken.clear()
    began = clock.now()

    handled = deliver_due(IN_TRANSACTION)

    assert clock.now() - began < timedelta(seconds=1)
    assert 0 < handled == len(slow) < 4
    assert Delivery.objects.filter(status=Status.PENDING, attempts=0, in_flight=False).count() == BATCH - handled
    assert IN_TRANSACTION in woken, "for the others"
    assert claim_sizes[IN_TRANSACTION] == handled, "the next claim is as large as this worker can handle in time"
    assert len(claim(IN_TRANSACTION, BATCH)) == BATCH - handled, "another worker takes the rest at once"


def test_slow_handlers_use_up_one_attempt_each(slow: list[str]) -> None:
    deliver_due(IN_TRANSACTION)

    assert len(slow) == BATCH
    assert Counter(Delivery.objects.values_list("status", "attempts")) == {(Status.DONE, 1): BATCH}


def test_with_small_claims_another_worker_is_still_woken(slow: list[str], woken: list[DeliveryQueue]) -> None:
    claim_sizes[IN_TRANSACTION] = 2
    woken.clear()

    deliver_due(IN_TRANSACTION)

    assert woken[0] == IN_TRANSACTION


def test_deliveries_of_another_consumer_are_released_too(
    slow: list[str], listen: Listen, run_out: RunOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "LONGEST_WAKE", -1.0)
    Delivery.objects.filter(message__data__sku__gt="MUG-1").update(consumer="inventory.other")
    listen(lambda event: slow.append(event.sku), name="inventory.other")
    began = clock.now()

    deliver_due(IN_TRANSACTION)

    assert clock.now() - began < LEASE / 3
    assert not Delivery.objects.filter(in_flight=True, status=Status.PENDING).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
def test_a_deadlock_uses_up_no_attempt(
    listen: Listen, run_out: RunOut, caplog: pytest.LogCaptureFixture, for_threads: None
) -> None:
    for sku in ("A", "B"):
        open_stock_item(sku)
    both_hold_one = Barrier(2, timeout=20)
    tried: Counter[str] = Counter()

    def lock_in_own_order(event: StockRanOut) -> None:
        tried[event.sku] += 1
        first, second = event.sku.split("-")
        current_unit_of_work().get(StockItem, first)
        if tried[event.sku] == 1:
            both_hold_one.wait()
        current_unit_of_work().get(StockItem, second)

    listen(lock_in_own_order)
    run_out("A-B", "B-A")
    claims = [claim(IN_TRANSACTION, 1) for _ in range(2)]
    threads = [Thread(target=_attempt_in_thread, args=[each]) for each in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(Delivery.objects.values_list("status", "attempts")) == {(Status.DONE, 1): 1, (Status.PENDING, 0): 1}
    assert "because it lost to another transaction: OperationalError('deadlock detected" in caplog.text
    with clock.moved(LEASE):
        deliver_due(IN_TRANSACTION)
    assert not Delivery.objects.exclude(status=Status.DONE).exists()


@pytest.mark.parametrize("cause", [LockNotAvailable("a lock timeout"), StalePlan("a column was altered")])
@pytest.mark.django_db
def test_what_says_nothing_about_the_delivery_uses_up_no_attempt(
    listen: Listen, run_out: RunOut, cause: Exception
) -> None:
    fails = [True]

    def fail_once(event: StockRanOut) -> None:
        if fails and fails.pop():
            raise OperationalError(str(cause)) from cause

    listen(fail_once)
    run_out("A")
    deliver_due(IN_TRANSACTION)

    assert Delivery.objects.values_list("status", "attempts").get() == (Status.PENDING, 0)
    with clock.moved(LEASE):
        deliver_due(IN_TRANSACTION)
    assert Delivery.objects.values_list("status", "attempts").get() == (Status.DONE, 1)


@pytest.mark.django_db
def test_a_delivery_that_loses_every_deadlock_becomes_a_dead_letter(
    listen: Listen, run_out: RunOut, stopped_clock: None, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DELIVERY_MAX_ATTEMPTS = 3
    tried = []

    def deadlock(event: StockRanOut) -> None:
        tried.append(clock.now())
        raise OperationalError("deadlock detected") from DeadlockDetected()

    listen(deadlock)
    run_out("MUG")

    began = clock.now()
    while (delivery := Delivery.objects.get()).status == Status.PENDING:
        clock.advance(max(delivery.due_at - clock.now(), timedelta()) if delivery.due_at else timedelta())
        deliver_due(IN_TRANSACTION)
        assert len(tried) < 400, "there is no limit"

    uncharged = [moment for moment in tried if moment - began < CONFLICT_TIMEOUT]
    assert 60 < len(uncharged) < 300, "the wait grows to half a second"
    assert len(tried) - len(uncharged) == 3 == delivery.attempts
    assert delivery.status == Status.DEAD
    assert "OperationalError: deadlock detected" in delivery.error
    assert "failed at attempt 1" in caplog.text


def _attempt_in_thread(claims: Any) -> None:
    try:
        delivering._attempt("inventory.reorder", claims, [])
    finally:
        connections.close_all()


@pytest.mark.django_db
def test_the_error_of_a_batch_is_logged(
    listen: Listen, run_out: RunOut, caplog: pytest.LogCaptureFixture, stopped_clock: None
) -> None:
    def fail_together(events: Any) -> None:
        if len(events) > 1:
            raise ValueError("together they fail")

    listen(lambda event: None, prepare=fail_together)
    run_out("MUG", "LAMP")

    deliver_due(IN_TRANSACTION)

    assert "inventory.reorder: 2 deliveries are tried one by one, because their batch failed" in caplog.text
    assert "together they fail" in caplog.text
