"""What passes between us and the payment provider outside of payments: its call-backs, and where our books differ."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class ProviderEvent(models.Model):
    """A call-back of a payment provider that was acted upon; the provider may send it any number of times."""

    id = models.CharField(max_length=120, primary_key=True)
    provider = models.CharField(max_length=20)
    kind = models.CharField(max_length=40)
    received_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-received_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Discrepancy(models.Model):
    """Our books and the provider's differ in a way no program may mend: somebody has to look at it."""

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
