"""The sandbox's records: one row for each idempotency key that it received."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from integration.domain import clock
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class Transaction(models.Model):
    """A charge, a declined charge, or a refund of a charge."""

    key = models.CharField("idempotency key", max_length=80, primary_key=True)
    fingerprint = models.CharField(
        max_length=200, help_text="what was asked for, to refuse another wish under this key"
    )
    reference = models.CharField(max_length=40, unique=True)
    charge = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="refunds")
    currency = CurrencyField()
    amount_minor = MinorUnitsField()
    amount = money("amount_minor")
    decline_code = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="sandbox_moves_something"),
        ]

    def __str__(self) -> str:
        return self.reference
