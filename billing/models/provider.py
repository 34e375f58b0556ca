"""The payment provider's processed callbacks, and the differences between its books and ours."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class ProviderEvent(models.Model):
    """A processed callback. The primary key is the provider's event id, so a repeated callback is recognized."""

    id = models.CharField(max_length=120, primary_key=True)
    provider = models.CharField(max_length=20)
    kind = models.CharField(max_length=40)
    received_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-received_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Discrepancy(models.Model):
    """A difference between our books and the provider's that is not safe to repair: an operator must settle it."""

    subject = models.CharField(max_length=80, primary_key=True)
    finding = models.CharField(max_length=300)
    found_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settlement = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-found_at"]
        verbose_name_plural = "discrepancies"
        indexes: ClassVar = [
            models.Index(fields=["found_at"], name="open_discrepancies", condition=Q(settled_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.finding}"
