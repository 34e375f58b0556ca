"""The backlog counts the unsettled deliveries of each consumer and their age in one query."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from integration.domain import clock
from integration.messaging.backlog import Backlog, backlog
from integration.messaging.claim import LEASE
from integration.messaging.models import Delivery, Status

pytestmark = pytest.mark.django_db

Listen = Callable[..., None]
RunOut = Callable[..., None]
Later = Callable[[timedelta], None]


def test_a_consumer_without_deliveries_has_an_empty_backlog(listen: Listen) -> None:
    listen(print, name="inventory.reorder")
    listen(print, name="billing.mail")

    assert backlog() == [Backlog("billing.mail"), Backlog("inventory.reorder")]


def test_the_backlog_counts_due_waiting_and_dead_deliveries(listen: Listen, run_out: RunOut, later: Later) -> None:
    listen(print)
    listen(print, name="billing.mail", external=True)
    run_out("DEAD", "DONE", "SKIPPED", "OLD")
    Delivery.objects.filter(message__data__sku="DEAD").update(status=Status.DEAD)
    done = Delivery.objects.filter(message__data__sku="DONE")
    done.update(status=Status.DONE, done_at=done[0].due_at)
    skipped = Delivery.objects.filter(message__data__sku="SKIPPED")
    skipped.update(status=Status.SKIPPED, skip_reason="no", skipped_by="me", skipped_at=skipped[0].due_at)
    later(timedelta(minutes=1))
    run_out("NEW")
    # as a claim does
    Delivery.objects.filter(consumer="billing.mail", message__data__sku="OLD").update(due_at=clock.now() + LEASE)

    mail, reorder = backlog()

    assert mail == Backlog("billing.mail", pending=1, waiting=1, dead=1, lag=mail.lag)
    assert mail.lag < 10
    assert reorder == Backlog("inventory.reorder", pending=2, waiting=0, dead=1, lag=reorder.lag)
    assert 60 <= reorder.lag < 70


def test_a_dead_letter_has_no_lag(listen: Listen, run_out: RunOut, later: Later) -> None:
    listen(print)
    run_out("MUG")
    Delivery.objects.update(status=Status.DEAD)
    later(timedelta(minutes=1))

    assert backlog() == [Backlog("inventory.reorder", dead=1)]


def test_the_backlog_includes_unknown_consumers(listen: Listen, run_out: RunOut) -> None:
    listen(print)
    run_out("MUG")
    Delivery.objects.update(consumer="inventory.of-long-ago")

    assert [(row.consumer, row.pending) for row in backlog()] == [
        ("inventory.of-long-ago", 1),
        ("inventory.reorder", 0),
    ]


def test_the_backlog_is_one_query(listen: Listen, run_out: RunOut, statements: Callable[[], Any]) -> None:
    for n in range(5):
        listen(print, name=f"inventory.reorder-{n}")
    run_out("MUG", "LAMP")

    with statements() as seen:
        assert len(backlog()) == 5

    assert len(seen) == 1


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite reads the whole table")
def test_the_backlog_reads_only_partial_indexes(listen: Listen, run_out: RunOut) -> None:
    listen(print)
    run_out(*(f"S{n}" for n in range(2_000)))
    newest = Delivery.objects.latest("pk")
    Delivery.objects.exclude(pk=newest.pk).update(status=Status.DONE, done_at=newest.due_at)
    executed: list[tuple[Any, ...]] = []

    def record(execute: Callable[..., Any], *statement: Any) -> Any:
        executed.append(statement[:2])
        return execute(*statement)

    with connection.execute_wrapper(record):
        backlog()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integration_delivery")
        (sql, parameters) = executed[0]
        cursor.execute(f"EXPLAIN {sql}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "pending_by_lane" in plan
    assert "dead_by_consumer" in plan
