"""A failed delivery can be skipped with a reason, and that is final; a delivery that has not failed cannot be
skipped."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction

from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.domain.errors import NotYet
from integration.invariants import invariants
from integration.messaging.claim import LEASE, claim
from integration.messaging.dead_letters import (
    AlreadySettled,
    NoReason,
    NoSuchDelivery,
    NotFailed,
    replay,
    replay_one,
    skip,
    skip_one,
)
from integration.messaging.models import Delivery, Status
from integration.messaging.wakeups import DeliveryQueue

pytestmark = pytest.mark.django_db

IN_TRANSACTION = DeliveryQueue("inventory", False)

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Find = Callable[..., Delivery]


@pytest.fixture(autouse=True)
def three_attempts(settings: Any) -> None:
    settings.DELIVERY_MAX_ATTEMPTS = 3


@pytest.fixture
def failed(
    listen: Listen, run_out: RunOut, deliver: Deliver, later: Callable[[timedelta], None]
) -> Callable[..., None]:
    """Publish messages about these SKUs to a consumer that fails at them this many times."""

    def fail(*skus: str, times: int = 1) -> None:
        listen(lambda event: 1 / 0)
        run_out(*skus)
        for _ in range(times):
            deliver()
            later(timedelta(hours=1))

    return fail


def skip_all(reason: str = "sold by the lorry instead") -> int:
    return skip(Delivery.objects.all(), reason, "user:12")


def test_a_dead_letter_is_skipped_with_who_when_and_why(failed: Callable[..., None], delivery: Find) -> None:
    failed("MUG", times=3)
    assert delivery().status == Status.DEAD
    before = clock.now()

    assert skip_all("  sold by the lorry instead ") == 1

    skipped = delivery()
    assert (skipped.status, skipped.skip_reason, skipped.skipped_by, skipped.done_at) == (
        Status.SKIPPED,
        "sold by the lorry instead",
        "user:12",
        None,
    )
    assert skipped.skipped_at is not None
    assert before <= skipped.skipped_at <= clock.now()
    assert "ZeroDivisionError" in skipped.error, "the error is not deleted"


def test_skipping_is_one_statement_for_any_number(
    failed: Callable[..., None], statements: Callable[[], Any], delivery: Find
) -> None:
    failed("MUG", "LAMP", "ATLAS")

    with statements() as seen:
        assert skip_all() == 3

    assert len(seen) == 1


def test_a_skipped_delivery_is_never_handled(failed: Callable[..., None], deliver: Deliver, delivery: Find) -> None:
    failed("MUG")
    skip_all()

    assert deliver() == 0
    assert delivery().status == Status.SKIPPED


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_delivery_that_failed_at_least_once_can_be_skipped(failed: Callable[..., None], times: int) -> None:
    failed("MUG", times=times)

    assert skip_all() == 1


def test_a_delivery_that_was_never_tried_cannot_be_skipped(listen: Listen, run_out: RunOut, delivery: Find) -> None:
    listen(print)
    run_out("MUG")

    assert skip_all() == 0
    assert delivery().status == Status.PENDING


def test_a_delivery_in_its_first_attempt_cannot_be_skipped(listen: Listen, run_out: RunOut) -> None:
    listen(print)
    run_out("MUG")
    claim(IN_TRANSACTION, 1)

    assert skip_all() == 0


def test_a_delivery_claimed_again_after_its_worker_died_can_be_skipped(
    listen: Listen, run_out: RunOut, later: Callable[[timedelta], None]
) -> None:
    listen(print)
    run_out("MUG")
    claim(IN_TRANSACTION, 1)
    later(LEASE * 2)
    claim(IN_TRANSACTION, 1)

    assert skip_all() == 1


def test_a_delivery_that_only_came_too_early_cannot_be_skipped(
    listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    def too_early(event: StockRanOut) -> None:
        raise NotYet

    listen(too_early)
    run_out("MUG")
    deliver()

    assert skip_all() == 0


def test_a_delivery_that_is_done_cannot_be_skipped(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    listen(print)
    run_out("MUG")
    deliver()

    assert skip_all() == 0
    assert delivery().status == Status.DONE


def test_a_replayed_delivery_must_fail_again_before_it_can_be_skipped(failed: Callable[..., None]) -> None:
    failed("MUG", times=3)
    replay(Delivery.objects.all())

    assert skip_all() == 0


def test_a_replay_of_many_locks_few_at_a_time(
    failed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    statements: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    failed("MUG", "LAMP", "ATLAS", times=3)
    monkeypatch.setattr("integration.messaging.dead_letters.AT_ONCE", 2)

    with statements() as seen:
        assert replay(Delivery.objects.all()) == 3

    assert len([statement for statement in seen if statement.startswith("UPDATE")]) == 2
    assert set(Delivery.objects.values_list("status", "attempts")) == {(Status.PENDING, 0)}


def test_only_the_given_deliveries_are_skipped(failed: Callable[..., None], delivery: Find) -> None:
    failed("MUG", "LAMP")

    assert skip(Delivery.objects.filter(message__data__sku="MUG"), "broken", "user:12") == 1

    assert (delivery("MUG").status, delivery("LAMP").status) == (Status.SKIPPED, Status.PENDING)


def test_a_skipped_delivery_never_changes(failed: Callable[..., None], delivery: Find) -> None:
    failed("MUG", times=3)
    skip_all("the first reason")

    assert skip_all("another reason") == 0
    assert replay(Delivery.objects.all()) == 0
    assert delivery().skip_reason == "the first reason"


@pytest.mark.parametrize("reason", ["", " ", "\t\n"])
def test_skipping_requires_a_reason(failed: Callable[..., None], delivery: Find, reason: str) -> None:
    failed("MUG", times=3)

    with pytest.raises(NoReason):
        skip_all(reason)

    assert delivery().status == Status.DEAD


def test_a_worker_does_not_overwrite_a_skip_made_meanwhile(
    listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Find
) -> None:
    calls: list[int] = []

    def skipped_meanwhile(event: StockRanOut) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError
        assert skip_all() == 1

    listen(skipped_meanwhile, external=True)
    run_out("MUG")
    deliver()
    Delivery.objects.update(due_at=clock.now())
    deliver()

    assert len(calls) == 2
    assert delivery().status == Status.SKIPPED


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_delivery_that_a_worker_is_finishing_is_not_skipped(failed: Callable[..., None], delivery: Find) -> None:
    failed("MUG")

    def skip_it() -> int:
        try:
            return skip_all()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            list(Delivery.objects.select_for_update())
            skipping = pool.submit(skip_it)
            timeout = time.monotonic() + 120
            while not _another_transaction_waits() and time.monotonic() < timeout:
                time.sleep(0.01)
            assert not skipping.done()
            Delivery.objects.update(status=Status.DONE, done_at=clock.now())
        assert skipping.result(timeout=120) == 0

    assert delivery().status == Status.DONE


def _another_transaction_waits() -> bool:
    """Whether another connection waits for the transaction of this one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid")
        return cursor.fetchone()[0] > 0


@pytest.mark.parametrize(
    "change",
    [
        {"status": "skipped"},
        {"status": "skipped", "skip_reason": "why not", "skipped_by": "user:12"},
        {"status": "skipped", "skip_reason": "", "skipped_by": "user:12", "skipped_at": "now"},
        {"status": "skipped", "skip_reason": "why not", "skipped_by": "", "skipped_at": "now"},
        {"status": "skipped", "skip_reason": "why", "skipped_by": "me", "skipped_at": "now", "done_at": "now"},
        {"skip_reason": "why not"},
        {"skipped_by": "user:12"},
        {"skipped_at": "now"},
    ],
)
def test_the_database_refuses_a_skip_without_who_when_or_why(
    listen: Listen, run_out: RunOut, change: dict[str, Any]
) -> None:
    listen(print)
    run_out("MUG")
    values = {name: clock.now() if value == "now" else value for name, value in change.items()}

    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.update(**values)


def test_skip_one_skips_a_failed_delivery_and_refuses_others(
    failed: Callable[..., None], listen: Listen, run_out: RunOut, delivery: Find
) -> None:
    failed("MUG", times=3)
    id = delivery().pk

    skipped = skip_one(id, "broken", "user:12")
    assert (skipped.status, skipped.message.data["sku"]) == (Status.SKIPPED, "MUG")

    with pytest.raises(AlreadySettled, match=f"Delivery {id} is skipped, and stays so"):
        skip_one(id, "broken", "user:12")
    with pytest.raises(NoSuchDelivery):
        skip_one(id + 1, "broken", "user:12")
    run_out("LAMP")
    with pytest.raises(NotFailed):
        skip_one(delivery("LAMP").pk, "broken", "user:12")


def test_replay_one_replays_a_dead_letter_and_refuses_a_settled_one(
    failed: Callable[..., None], delivery: Find, woken: list[DeliveryQueue], django_capture_on_commit_callbacks: Any
) -> None:
    failed("MUG", times=3)
    id = delivery().pk
    woken.clear()

    with django_capture_on_commit_callbacks(execute=True):
        replayed = replay_one(id)

    assert (replayed.status, replayed.attempts) == (Status.PENDING, 0)
    assert replayed.due_at <= clock.now()
    assert woken == [IN_TRANSACTION]
    with pytest.raises(NoSuchDelivery):
        replay_one(id + 1)
    Delivery.objects.update(status=Status.DONE, done_at=clock.now())
    with pytest.raises(AlreadySettled, match=f"Delivery {id} is done, and stays so"):
        replay_one(id)


def test_a_skipped_delivery_still_counts_for_the_invariant(failed: Callable[..., None]) -> None:
    failed("MUG", times=3)
    skip_all()

    assert invariants.get("events.each_consumer_has_one_delivery").check().offenders == []
