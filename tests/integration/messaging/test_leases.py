"""The lease of a delivery is renewed while its external system is called, so that no other worker repeats the call."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.messaging import leases
from integration.messaging.claim import claim
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery, Status
from integration.messaging.wakeups import DeliveryQueue

pytestmark = pytest.mark.usefixtures("for_threads")

EXTERNAL = DeliveryQueue("inventory", True)

Listen = Callable[..., None]
RunOut = Callable[..., None]


@pytest.fixture(autouse=True)
def frequent_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWED_EVERY", timedelta(seconds=0.02))


def _wait_until(condition: Callable[[], Any]) -> None:
    began = clock.stopwatch()
    while not condition():
        assert clock.stopwatch() - began < 20, "this never happened"
        clock.pause(0.01)


def _due_at(sku: str = "MUG") -> datetime:
    return Delivery.objects.get(message__data__sku=sku).due_at


def test_a_call_that_takes_longer_than_the_lease_is_not_repeated(listen: Listen, run_out: RunOut) -> None:
    claimed_by_another = []

    def call(event: StockRanOut) -> None:
        end_of_lease = _due_at()
        _wait_until(lambda: _due_at() > end_of_lease + timedelta(seconds=0.3))
        with clock.standing_at(end_of_lease):
            claimed_by_another.extend(claim(EXTERNAL, 10))

    listen(call, external=True)
    run_out("MUG")

    assert deliver_due(EXTERNAL) == 1
    assert claimed_by_another == []
    assert (Delivery.objects.get().status, Delivery.objects.get().attempts) == (Status.DONE, 1)


def test_deliveries_behind_a_long_call_are_released_and_left_to_others(
    listen: Listen, run_out: RunOut, woken: list[DeliveryQueue]
) -> None:
    called, claimed_by_another = [], []

    def call(event: StockRanOut) -> None:
        called.append(event.sku)
        _wait_until(lambda: Delivery.objects.filter(in_flight=False, attempts=0).count() == 2)
        claimed_by_another.extend(claim(EXTERNAL, 10))

    listen(call, external=True)
    run_out("MUG", "LAMP", "ATLAS")
    woken.clear()

    assert deliver_due(EXTERNAL) == 1
    assert called == ["MUG"]
    assert [each.attempt for each in claimed_by_another] == [1, 1]
    assert Delivery.objects.filter(in_flight=True, attempts=1).count() == 2, "the others' claims still hold"
    assert EXTERNAL in woken


def test_deliveries_are_released_while_read_takes_long(listen: Listen, run_out: RunOut) -> None:
    called = []

    def read(events: Any) -> None:
        _wait_until(lambda: len(events) == 1 or Delivery.objects.filter(in_flight=False, attempts=0).exists())

    listen(lambda event, read: called.append(event.sku), external=True, read=read)
    run_out("MUG", "LAMP")

    deliver_due(EXTERNAL)

    assert called == ["MUG", "LAMP"], "each is called once: the second after it was claimed again"


def test_a_failed_call_is_not_leased_any_longer(listen: Listen, run_out: RunOut) -> None:
    def call(event: StockRanOut) -> None:
        if event.sku == "MUG":
            raise OSError("no line")
        due_again, end_of_lease = _due_at(), _due_at("LAMP")
        _wait_until(lambda: _due_at("LAMP") > end_of_lease)
        assert _due_at() == due_again

    listen(call, external=True)
    run_out("MUG", "LAMP")
    deliver_due(EXTERNAL)

    assert Delivery.objects.get(message__data__sku="LAMP").status == Status.DONE


def test_a_renewal_that_fails_is_tried_again(
    listen: Listen, run_out: RunOut, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [OperationalError("server closed the connection")]
    renew = leases.Leases._renew

    def fail_once(self: leases.Leases) -> None:
        if failures:
            raise failures.pop()
        renew(self)

    monkeypatch.setattr(leases.Leases, "_renew", fail_once)

    def call(event: StockRanOut) -> None:
        end_of_lease = _due_at()
        _wait_until(lambda: _due_at() > end_of_lease)

    listen(call, external=True)
    run_out("MUG")

    deliver_due(EXTERNAL)

    assert Delivery.objects.get().status == Status.DONE
    assert "could not renew the leases of inventory.reorder: server closed the connection" in caplog.text


def test_a_response_that_comes_makes_a_dead_delivery_done(listen: Listen, run_out: RunOut) -> None:
    recorded = []

    def call(event: StockRanOut) -> Callable[[], None]:
        Delivery.objects.update(status=Status.DEAD, in_flight=False, error="WorkerDied: it seemed so", traceback="…")
        return lambda: recorded.append(event.sku)

    listen(call, external=True)
    run_out("MUG")

    deliver_due(EXTERNAL)

    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.error, delivery.traceback) == (Status.DONE, "", "")
    assert recorded == ["MUG"]


def test_a_response_changes_nothing_of_a_skipped_delivery(listen: Listen, run_out: RunOut) -> None:
    def call(event: StockRanOut) -> Callable[[], None]:
        Delivery.objects.update(
            status=Status.SKIPPED, skip_reason="by hand", skipped_by="user:1", skipped_at=clock.now()
        )
        return lambda: None

    listen(call, external=True)
    run_out("MUG")

    deliver_due(EXTERNAL)

    assert Delivery.objects.get().status == Status.SKIPPED


def test_the_thread_leaves_no_connection_behind(listen: Listen, run_out: RunOut) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server to ask")

    def connections_of_server() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return int(cursor.fetchone()[0])

    before = connections_of_server()

    def call(event: StockRanOut) -> None:
        end_of_lease = _due_at()
        _wait_until(lambda: _due_at() > end_of_lease)

    listen(call, external=True)
    run_out("MUG")
    deliver_due(EXTERNAL)

    _wait_until(lambda: connections_of_server() <= before)
