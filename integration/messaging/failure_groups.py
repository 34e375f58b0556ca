"""Failures are grouped: deliveries that failed in the same place of our code, for the same reason, are one group.

A group is found by its fingerprint: the consumer, the type of the error, and the frame of our code in which it was
raised. Line numbers do not count, so a group stays one when the code above it changes. A delivery stores the
fingerprint of its last failure, and only a failure writes it.
"""

import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, QuerySet

from integration.domain import clock
from integration.domain.errors import NotFound
from integration.domain.fingerprints import fingerprint
from integration.messaging.models import OPEN, Delivery
from integration.messaging.routines import Routine, register


class FailureGroup(models.Model):
    """Failures of the same kind. An archived group comes back when it fails again."""

    fingerprint = models.CharField(max_length=32, primary_key=True, editable=False)
    consumer = models.CharField(max_length=80)
    exception = models.CharField(max_length=200)
    frame = models.CharField(max_length=300, blank=True, help_text="the file and function of our code that raised it")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    failures = models.PositiveBigIntegerField(default=0, help_text="failed attempts")
    archived_at = models.DateTimeField(null=True)
    archived_by = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering: ClassVar = ["-last_seen"]
        indexes: ClassVar = [models.Index(fields=["-last_seen"], name="failure_groups_by_last_seen")]

    def __str__(self) -> str:
        return f"{self.exception} in {self.consumer}"


class NoSuchGroup(NotFound):
    """There is no such group of failures."""


def group_of(consumer: str, error: BaseException) -> FailureGroup:
    """The group that a failure belongs to; it is not saved."""
    exception, frame = type(error).__name__[:200], first_frame(error)[:300]
    found = fingerprint(consumer, exception, frame)
    now = clock.now()
    return FailureGroup(found, consumer, exception, frame, first_seen=now, last_seen=now)


def note_seen(group: FailureGroup) -> None:
    """Count a failure of the group, which is not archived any more. Call this in the transaction that records it."""
    stored = FailureGroup.objects.filter(pk=group.pk)
    again = {"failures": F("failures") + 1, "last_seen": group.last_seen, "archived_at": None, "archived_by": ""}
    if not stored.update(**again):
        FailureGroup.objects.bulk_create([group], ignore_conflicts=True)  # another worker may have been first
        stored.update(**again)


def first_frame(error: BaseException) -> str:
    """The innermost frame of our code in which an error was raised, as file and function.

    A frame of a context comes before one of the machinery around it. Empty if no frame is ours.
    """
    ours = list(_frames_of_ours(error.__traceback__))
    of_contexts = [frame for frame in ours if frame.partition("/")[0] in settings.CONTEXTS]
    return (of_contexts or ours or [""])[-1]


def _frames_of_ours(raised: TracebackType | None) -> Iterator[str]:
    for frame, _ in traceback.walk_tb(raised):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts:
            yield f"{path.relative_to(settings.BASE_DIR).as_posix()}: {frame.f_code.co_qualname}"


def deliveries_of(fingerprint: str) -> QuerySet[Delivery]:
    """The unsettled deliveries whose last failure is of this group."""
    return Delivery.objects.filter(OPEN, fingerprint=fingerprint)


def archive(fingerprint: str, actor: str) -> FailureGroup:
    """Take a group from the list until it fails again; raises `NoSuchGroup`."""
    archived = FailureGroup.objects.filter(pk=fingerprint).update(archived_at=clock.now(), archived_by=actor)
    if not archived:
        raise NoSuchGroup
    return FailureGroup.objects.get(pk=fingerprint)


def forget_old_groups() -> None:
    """Delete groups that have not failed for as long as settled messages are stored, and have nothing left to do."""
    waiting = Delivery.objects.filter(OPEN, fingerprint=models.OuterRef("pk"))
    old = FailureGroup.objects.filter(last_seen__lt=clock.now() - max(settings.ARCHIVE_AFTER, timedelta(days=1)))
    old.filter(~models.Exists(waiting)).delete()


# `register`, not `every`: `integration.policies`, which defines `every`, imports this package.
register(Routine("integration.forget-failure-groups", timedelta(hours=1), forget_old_groups))
