"""How much each consumer has before it, and for how long: one query, whatever has been done."""

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


def test_a_consumer_with_nothing_to_do_has_none(listen: Listen) -> None:
    listen(print, name="inventory.reorder")
    listen(print, name="billing.mail")

    assert backlog() == [Backlog("billing.mail"), Backlog("inventory.reorder")]


def test_it_tells_what_is_due_what_waits_and_what_is_dead(listen: Listen, run_out: RunOut, later: Later) -> None:
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
    # as a worker does that claims it
    Delivery.objects.filter(consumer="billing.mail", message__data__sku="OLD").update(due_at=clock.now() + LEASE)

    mail, reorder = backlog()

    assert mail == Backlog("billing.mail", pending=1, waiting=1, dead=1, lag=mail.lag)
    assert mail.lag < 10
    assert reorder == Backlog("inventory.reorder", pending=2, waiting=0, dead=1, lag=reorder.lag)
    assert 60 <= reorder.lag < 70


def test_one_that_is_dead_has_no_lag(listen: Listen, run_out: RunOut, later: Later) -> None:
    listen(print)
    run_out("MUG")
    Delivery.objects.update(status=Status.DEAD)
    later(timedelta(minutes=1))

    assert backlog() == [Backlog("inventory.reorder", dead=1)]


def test_what_waits_for_a_consumer_this_code_does_not_have_is_told_as_well(listen: Listen, run_out: RunOut) -> None:
    listen(print)
    run_out("MUG")
    Delivery.objects.update(consumer="inventory.of-long-ago")

    assert [(row.consumer, row.pending) for row in backlog()] == [
        ("inventory.of-long-ago", 1),
        ("inventory.reorder", 0),
    ]


def test_it_is_one_query(listen: Listen, run_out: RunOut, statements: Callable[[], Any]) -> None:
    for n in range(5):
        listen(print, name=f"inventory.reorder-{n}")
    run_out("MUG", "LAMP")

    with statements() as seen:
        assert len(backlog()) == 5

    assert len(seen) == 1


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite reads the whole table")
def test_what_is_done_costs_it_nothing(listen: Listen, run_out: RunOut) -> None:
    listen(print)
    run_out(*(f"S{n}" for n in range(2_000)))
    newest = Delivery.objects.latest("pk")
    Delivery.objects.exclude(pk=newest.pk).update(status=Status.DONE, done_at=newest.due_at)
    asked: list[tuple[Any, ...]] = []

    def listen_in(execute: Callable[..., Any], *statement: Any) -> Any:
        asked.append(statement[:2])
        return execute(*statement)

    with connection.execute_wrapper(listen_in):
        backlog()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE integration_delivery")
        (sql, parameters) = asked[0]
        cursor.execute(f"EXPLAIN {sql}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "pending_by_lane" in plan
    assert "dead_by_consumer" in plan
