"""The sandbox carrier's records: one row for each idempotency key that it received."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from integration.domain import clock


class Label(models.Model):
    """A label, or a key whose label was cancelled before it was bought: that one has no number."""

    key = models.CharField("idempotency key", max_length=80, primary_key=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    tracking_number = models.CharField(max_length=40, null=True, unique=True)  # noqa: DJ001 - unique where it exists
    service = models.CharField(max_length=40, blank=True)
    is_cancelled = models.BooleanField(default=False)
    is_played = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="labels_to_play", condition=Q(is_played=False, is_cancelled=False))
        ]

    def __str__(self) -> str:
        return self.tracking_number or self.key
