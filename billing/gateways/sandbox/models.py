"""The sandbox's records: one row for each idempotency key that it received, and one for what becomes of it later."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from integration.domain import clock
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class Kind(models.TextChoices):
    """What a transaction is. The first is a refund if it has a charge."""

    CHARGE_OR_REFUND = ""
    CAPTURE = "capture"
    DISPUTE = "dispute"
    CANCELLED = "cancelled", "a key that was cancelled before it was used"


class Transaction(models.Model):
    """A charge, a declined charge, or a refund, a capture or a dispute of a charge."""

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
    kind = models.CharField(max_length=10, choices=Kind, default="", db_default="", blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="sandbox_moves_something"),
        ]

    def __str__(self) -> str:
        return self.reference


class Standing(models.TextChoices):
    """Where a transaction stands that is not settled at once."""

    ACTION_REQUIRED = "action_required"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    CHARGED = "charged"
    DECLINED = "declined"
    EXPIRED = "expired"
    VOIDED = "voided"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    WARNING = "warning"
    NEEDS_RESPONSE = "needs_response"
    WON = "won"
    LOST = "lost"


class Course(models.Model):
    """What becomes of a transaction that is not settled at once.

    At `due_at` it stands differently by itself; nothing writes that moment down. `is_played` then says whether the
    callback about it was sent.
    """

    transaction = models.OneToOneField(Transaction, on_delete=models.CASCADE, primary_key=True)
    standing = models.CharField(max_length=20, choices=Standing)
    due_at = models.DateTimeField(null=True)
    code = models.CharField(max_length=40, blank=True)
    is_played = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="sandbox_to_be_played", condition=Q(is_played=False)),
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id} {self.standing}"
