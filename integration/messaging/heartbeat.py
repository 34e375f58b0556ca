"""A heartbeat is a row that says when something last ran which runs all the time."""

from datetime import datetime, timedelta

from integration.domain import clock
from integration.messaging.models import Heartbeat

SWEEP = "integration.sweep"
"""The sweep runs every second, as long as beat and a worker of integration's queue run."""

NOTED_EVERY = timedelta(seconds=5)
"""The time from one heartbeat to the next, so that a sweep usually writes nothing."""


def note_heartbeat(name: str) -> None:
    """Note that something runs, unless that was noted a moment ago."""
    now = clock.now()
    beat = Heartbeat.objects.filter(pk=name).first()
    if beat is None:
        Heartbeat.objects.bulk_create([Heartbeat(name=name, at=now)], ignore_conflicts=True)
    elif abs(now - beat.at) >= NOTED_EVERY:
        Heartbeat.objects.filter(pk=name).update(at=now)


def last_heartbeat(name: str) -> datetime | None:
    """When something last ran; None if it never has."""
    return Heartbeat.objects.filter(pk=name).values_list("at", flat=True).first()
