"""A replay of many deliveries: its preview, rate, progress and end; what a crash leaves; and that it can be stopped."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from integration.domain import clock
from integration.messaging import replay_jobs
from integration.messaging.dead_letters import replay_some
from integration.messaging.failure_groups import FailureGroup
from integration.messaging.models import Delivery, Status
from integration.messaging.replay_jobs import (
    NoSuchJob,
    NotRunning,
    ReplayJob,
    Selection,
    preview,
    replay_now,
    run_jobs,
    start,
    step,
    stop,
)

pytestmark = pytest.mark.django_db

DEAD = Selection(status="dead")


@pytest.fixture
def dead(listen: Callable[..., None], run_out: Callable[..., None], deliver: Callable[[], int], settings: Any) -> None:
    """Five dead letters of one group."""
    settings.DELIVERY_MAX_ATTEMPTS = 1
    settings.PAUSE_AFTER_DEATHS = 100
    listen(lambda event: 1 / 0)
    run_out("A", "B", "C", "D", "E")
    deliver()
    assert Delivery.objects.filter(status=Status.DEAD).count() == 5


@pytest.fixture
def in_twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of two deliveries."""
    monkeypatch.setattr(replay_jobs, "AT_ONCE", 2)


def count(status: Status) -> int:
    return Delivery.objects.filter(status=status).count()


def test_a_preview_says_how_many_of_what(dead: None) -> None:
    assert preview(DEAD) == ([("inventory.reorder", "dead", 5)], 5, False)
    assert preview(Selection(status="retrying")).total == 0
    assert preview(Selection(consumer="inventory.recount")).total == 0
    assert preview(Selection(error="ZeroDivision")).total == 5
    assert preview(Selection(fingerprint=FailureGroup.objects.get().pk)).total == 5
    assert preview(Selection(ids=(Delivery.objects.latest("pk").pk,))).total == 1


def test_a_preview_counts_up_to_a_limit(dead: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_jobs, "MOST_COUNTED", 3)
    assert preview(DEAD)[1:] == (3, True)


def test_the_routine_replays_what_was_selected(dead: None, in_twos: None) -> None:
    other = Delivery.objects.latest("pk")
    Delivery.objects.filter(pk=other.pk).update(consumer="inventory.recount")
    job = start(Selection(status="dead", consumer="inventory.reorder"), "user:7")
    assert (count(Status.DEAD), job.expected, job.requested_by) == (5, 4, "user:7")

    run_jobs()

    job.refresh_from_db()
    assert (job.status, job.replayed) == ("done", 4)
    assert job.ended_at
    assert list(Delivery.objects.filter(status=Status.DEAD)) == [other]


def test_each_step_takes_a_bounded_number_in_one_transaction(
    dead: None, in_twos: None, statements: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    job = start(DEAD, "user:7")
    with statements() as seen:
        assert step(job.pk)
    assert count(Status.PENDING) == 2
    assert len(seen) < 8


def test_a_step_looks_at_a_bounded_number_of_ids(dead: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_jobs, "WINDOW", 2)
    Delivery.objects.exclude(pk=Delivery.objects.latest("pk").pk).update(status=Status.PENDING)
    job = start(DEAD, "user:7")
    assert [step(job.pk), step(job.pk), step(job.pk)] == [True, True, False]
    job.refresh_from_db()
    assert (job.status, job.replayed) == ("done", 1)


def test_a_worker_that_is_killed_loses_one_step_which_is_done_again(
    dead: None, in_twos: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(DEAD, "user:7")
    step(job.pk)
    before = set(Delivery.objects.values_list("pk", "status", "fencing_token"))

    def replay_and_die(keys: list[int]) -> int:
        replay_some(keys)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replay_jobs, "replay_some", replay_and_die)
        with pytest.raises(KeyboardInterrupt):
            step(job.pk)
    assert set(Delivery.objects.values_list("pk", "status", "fencing_token")) == before

    run_jobs()
    job.refresh_from_db()
    assert (job.status, job.replayed, count(Status.PENDING)) == ("done", 5, 5)
    assert set(Delivery.objects.values_list("fencing_token", flat=True)) == {2}  # claimed once, replayed once


def test_a_stopped_replay_goes_no_further(dead: None, in_twos: None) -> None:
    job = start(DEAD, "user:7")
    step(job.pk)
    stopped = stop(job.pk, "user:8")
    assert (stopped.status, stopped.stopped_by, stopped.replayed) == ("stopped", "user:8", 2)

    run_jobs()
    assert step(job.pk) is False
    assert count(Status.DEAD) == 3
    with pytest.raises(NotRunning):
        stop(job.pk, "user:8")
    with pytest.raises(NoSuchJob):
        stop(job.pk + 1, "user:8")


def test_a_rate_limits_how_many_are_due_each_second(dead: None) -> None:
    with clock.standing_at(now := clock.now()):
        job = start(DEAD, "user:7", rate=2)
        run_jobs()
        run_jobs()
        assert count(Status.PENDING) == 2
    for seconds, due in ((0.5, 3), (1.5, 5)):
        with clock.standing_at(now + timedelta(seconds=seconds)):
            run_jobs()
            assert count(Status.PENDING) == due
    with clock.standing_at(now + timedelta(seconds=9)):
        run_jobs()
    job.refresh_from_db()
    assert (job.status, job.replayed) == ("done", 5)


def test_what_fails_after_the_request_is_not_part_of_it(
    dead: None, run_out: Callable[..., None], deliver: Callable[[], int]
) -> None:
    job = start(DEAD, "user:7")
    run_out("F")
    deliver()
    run_jobs()
    job.refresh_from_db()
    assert (job.replayed, count(Status.DEAD)) == (5, 1)


def test_a_replay_at_once_is_the_same_job(dead: None, in_twos: None) -> None:
    job = replay_now(Selection(), "command line")
    assert (job.status, job.replayed) == ("done", 5)
    assert ReplayJob.objects.get().selection == Selection()


def test_nothing_to_replay_ends_at_once() -> None:
    job = replay_now(DEAD, "command line")
    assert (job.status, job.replayed) == ("done", 0)


def test_a_selection_says_what_it_selects() -> None:
    assert str(Selection()) == "dead and pending deliveries"
    whole = Selection("dead", "a.b", "f" * 32, "boom", (1, 2))
    assert str(whole) == 'dead deliveries of a.b of one group of failures with "boom" in their error with 2 ids'
