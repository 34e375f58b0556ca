"""The lines of a reservation."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from integration.aggregates.aggregate import Part


class ReservationLine(Part):
    """A quantity of one SKU that is reserved for an order.

    `shipped` counts what left before the reservation ended, `released` what was cancelled before. What is left then
    goes the way in which it ended, and a plain order writes no line twice.
    """

    reservation = models.ForeignKey("Reservation", on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40, db_index=True)
    quantity = models.PositiveIntegerField()
    shipped = models.IntegerField(default=0, db_default=0)
    released = models.IntegerField(default=0, db_default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reservation", "sku"], name="one_reservation_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="reservation_line_of_something"),
            models.CheckConstraint(
                condition=Q(shipped__gte=0, shipped__lte=F("quantity")), name="shipped_at_most_reserved"
            ),
            models.CheckConstraint(
                condition=Q(released__gte=0, quantity__gte=F("shipped") + F("released")),
                name="shipped_or_released_at_most_reserved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @property
    def left(self) -> int:
        """The units that are reserved as long as the reservation goes on."""
        return self.quantity - self.shipped - self.released
