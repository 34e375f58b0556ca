"""Our keys at the payment provider, its processed callbacks, and the differences between its books and ours."""

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Case, F, Q, UniqueConstraint, Value, When


def key_at_the_provider(id: str, story: UUID) -> str:
    """The idempotency key of a payment or refund.

    The provider never forgets a key. An order number comes again when a backup of the database is restored, but never
    in the same story.
    """
    return f"{id}-{story.hex}"


def id_of_key(key: str) -> str:
    """The identifier in a key of `key_at_the_provider`."""
    return key.rpartition("-")[0]


def one_row_a_reference(name: str) -> UniqueConstraint:
    """The constraint that one reference of the provider settles one row.

    Rows without a key are older than this rule, so two of them may have the same reference.
    """
    older = Case(When(key="", then=F("id")), default=Value(""))
    return UniqueConstraint(F("reference"), older, condition=~Q(reference=""), name=name)


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
    settled_by = models.CharField(max_length=80, default="", db_default="", blank=True)
    earlier = models.TextField("settled before", default="", db_default="", blank=True)

    class Meta:
        ordering: ClassVar = ["-found_at"]
        verbose_name_plural = "discrepancies"
        indexes: ClassVar = [
            models.Index(fields=["found_at"], name="open_discrepancies", condition=Q(settled_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.finding}"
