"""The lines of a return: what was requested, and what became of each unit."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from integration.aggregates.aggregate import Part


class ReturnLine(Part):
    """One SKU of a return: the units requested, and what became of each.

    `lapsed` units were never sent.
    """

    return_of = models.ForeignKey("Return", on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    reason = models.CharField(max_length=20)
    by_right = models.BooleanField()
    restocked = models.PositiveIntegerField(default=0)
    quarantined = models.PositiveIntegerField(default=0)
    written_off = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    lapsed = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["return_of", "sku"], name="one_return_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="return_line_of_something"),
            models.CheckConstraint(
                condition=Q(
                    quantity__gte=F("restocked") + F("quarantined") + F("written_off") + F("missing") + F("lapsed")
                ),
                name="returned_at_most_requested",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @property
    def received(self) -> int:
        """The units that came back."""
        return self.restocked + self.quarantined + self.written_off

    @property
    def expected(self) -> int:
        """The units that may still come; they count until the return is refused."""
        return self.quantity - self.received - self.missing - self.lapsed
