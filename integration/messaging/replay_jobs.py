"""A replay of many deliveries is a job: it has a preview, a rate, progress and a result, and it can be stopped.

A routine works on the jobs that run, each step in one transaction: it makes some deliveries due and moves the job's
place. So a worker that is killed loses one step at most, which the next run repeats, and no delivery is replayed twice.
A job ends at the delivery that was the newest when it was requested.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

import msgspec
from django.db import models, transaction
from django.db.models import Count, Max, Min, Q, QuerySet

from integration.domain import clock
from integration.domain.errors import NotFound, Refused
from integration.messaging.dead_letters import replay_some
from integration.messaging.models import OPEN, RETRYING, Delivery
from integration.messaging.routines import Routine, register
from integration.storage.row_locks import skipping_locked

log = logging.getLogger(__name__)

AT_ONCE = 2_000
"""The most deliveries that are made due in one transaction. On SQLite all other writers wait for it."""
WINDOW = 50_000
"""The ids that one step looks at. So a step takes a bounded time, however few of the deliveries match."""
LONGEST_STEPS = 0.5
"""Seconds after which the routine makes way for other work; its next run continues."""
MOST_COUNTED = 10_000
"""The most deliveries that a preview counts exactly."""


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which unsettled deliveries to replay; what is empty does not restrict them.

    Args:
        status: `dead`, `pending`, or `retrying` for those that failed and wait for their next attempt.
        consumer: a consumer's wire name.
        fingerprint: a group of failures.
        error: a part of the error.
        ids: the deliveries with these ids.
    """

    status: str = ""
    consumer: str = ""
    fingerprint: str = ""
    error: str = ""
    ids: tuple[int, ...] = ()

    def deliveries(self) -> QuerySet[Delivery]:
        """The deliveries that are selected and not settled now."""
        by_status = {"": OPEN, "retrying": RETRYING}.get(self.status, OPEN & Q(status=self.status))
        exact = {"consumer": self.consumer, "fingerprint": self.fingerprint, "error__contains": self.error}
        found = Delivery.objects.filter(by_status, **{name: value for name, value in exact.items() if value})
        return found.filter(pk__in=self.ids) if self.ids else found

    def __str__(self) -> str:
        parts = [self.status or "dead and pending", "deliveries"]
        parts += [f"of {self.consumer}"] * bool(self.consumer)
        parts += ["of one group of failures"] * bool(self.fingerprint)
        parts += [f'with "{self.error}" in their error'] * bool(self.error)
        parts += [f"with {len(self.ids)} ids"] * bool(self.ids)
        return " ".join(parts)


class Matching(NamedTuple):
    """What a selection would replay.

    Args:
        rows: consumers with a status and the number of deliveries, the largest first.
        total: all of them; at most `MOST_COUNTED`.
        is_more: whether there are more than were counted.
    """

    rows: Sequence[tuple[str, str, int]]
    total: int
    is_more: bool


class ReplayJob(models.Model):
    """A replay of the deliveries of a selection."""

    class State(models.TextChoices):
        """Whether a job goes on."""

        RUNNING = "running"
        STOPPED = "stopped"
        DONE = "done"

    selected = models.JSONField()
    rate = models.PositiveIntegerField(null=True, help_text="deliveries a second; empty for as many as workers can do")
    status = models.CharField("state", max_length=8, choices=State, default=State.RUNNING)
    expected = models.PositiveIntegerField(help_text="deliveries that matched when it was requested, if not too many")
    replayed = models.PositiveBigIntegerField(default=0)
    place = models.BigIntegerField(editable=False, help_text="the id of the last delivery that was looked at")
    newest = models.BigIntegerField(editable=False, help_text="the id of the newest delivery when it was requested")
    requested_at = models.DateTimeField()
    requested_by = models.CharField(max_length=80)
    stepped_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True)
    stopped_by = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="running_replay_jobs", condition=Q(status="running")),
        ]

    def __str__(self) -> str:
        return f"replay {self.pk} of {self.selection}"

    @property
    def selection(self) -> Selection:
        """Which deliveries it replays."""
        return msgspec.convert(self.selected, Selection)

    def allowance(self, now: datetime) -> int:
        """How many deliveries the next step may make due, by the job's rate; at most those of one second."""
        if self.rate is None:
            return AT_ONCE
        seconds = (now - self.stepped_at).total_seconds() if self.stepped_at else 1.0
        return min(int(self.rate * min(max(seconds, 0.0), 1.0)), AT_ONCE)


class NoSuchJob(NotFound):
    """There is no such replay."""


class NotRunning(Refused):
    """The replay has ended."""


def preview(selection: Selection) -> Matching:
    """Count what a selection would replay, up to `MOST_COUNTED`; one query."""
    first = selection.deliveries().order_by().values("pk")[: MOST_COUNTED + 1]
    counted = Delivery.objects.filter(pk__in=first).order_by().values_list("consumer", "status").annotate(n=Count("pk"))
    rows = sorted(counted, key=lambda row: -row[2])
    total = sum(n for *_, n in rows)
    return Matching(rows, min(total, MOST_COUNTED), total > MOST_COUNTED)


def start(selection: Selection, actor: str, rate: int | None = None) -> ReplayJob:
    """Start a replay; workers do it.

    Args:
        selection: which deliveries.
        actor: who wants it, such as `user:12`.
        rate: deliveries a second; None for no limit.
    """
    ends = Delivery.objects.aggregate(oldest=Min("pk"), newest=Max("pk"))
    job = ReplayJob.objects.create(
        selected=msgspec.to_builtins(selection),
        rate=rate,
        expected=preview(selection).total,
        place=(ends["oldest"] or 1) - 1,
        newest=ends["newest"] or 0,
        requested_at=clock.now(),
        requested_by=actor,
    )
    log.warning("%s starts %s", actor, job)
    return job


def replay_now(selection: Selection, actor: str) -> ReplayJob:
    """Replay the selected deliveries before this returns, in steps; returns the job."""
    job = start(selection, actor)
    while step(job.pk, waits=True):
        pass
    job.refresh_from_db()
    return job


def step(id: int, *, waits: bool = False) -> bool:
    """Make the next deliveries of a job due, in one transaction.

    Args:
        id: the job.
        waits: whether to wait for another worker that works on the job, and not to leave it to that one.

    Returns:
        Whether there may be more to do at once.
    """
    now = clock.now()
    with transaction.atomic():
        running = ReplayJob.objects.filter(pk=id, status=ReplayJob.State.RUNNING)
        job = (running.select_for_update() if waits else skipping_locked(running)).first()
        if job is None or not (most := job.allowance(now)):
            return False
        end = min(job.newest, job.place + WINDOW)
        looked_at = job.selection.deliveries().filter(pk__gt=job.place, pk__lte=end).order_by("pk")
        keys = list(looked_at.values_list("pk", flat=True)[:most])
        job.replayed += replay_some(keys) if keys else 0
        job.place = keys[-1] if len(keys) == most else end
        if keys:
            job.stepped_at = now
        if job.place >= job.newest:
            job.status, job.ended_at = ReplayJob.State.DONE, now
        job.save(update_fields=["replayed", "place", "stepped_at", "status", "ended_at"])
    return job.status == ReplayJob.State.RUNNING


def stop(id: int, actor: str) -> ReplayJob:
    """Stop a replay; what it has made due stays due.

    Raises:
        NoSuchJob: there is none with this id.
        NotRunning: it has ended.
    """
    ended: dict[str, Any] = {"status": ReplayJob.State.STOPPED, "ended_at": clock.now(), "stopped_by": actor}
    stopped = ReplayJob.objects.filter(pk=id, status=ReplayJob.State.RUNNING).update(**ended)
    job = ReplayJob.objects.filter(pk=id).first()
    if job is None:
        raise NoSuchJob
    if not stopped:
        raise NotRunning(f"The replay is {job.status}.")
    log.warning("%s stops %s after %s deliveries", actor, job, job.replayed)
    return job


def run_jobs() -> None:
    """Work on the replays that run, for a short time."""
    began = clock.stopwatch()
    for id in ReplayJob.objects.filter(status=ReplayJob.State.RUNNING).order_by("pk").values_list("pk", flat=True):
        while step(id):
            if clock.stopwatch() - began > LONGEST_STEPS:
                return


# `register`, not `every`: `integration.policies`, which defines `every`, imports this package.
register(Routine("integration.replay-deliveries", timedelta(seconds=1), run_jobs))
