"""The rows of inventory's read models. Only the projections in `queries/` write them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from integration.read_models.models import Row


class StockOfDay(Row):
    """The stock of one SKU at the end of a UTC day on which it moved, and how many units moved on that day."""

    read_model = "inventory.stock-per-day"
    key = ("sku", "day")

    sku = models.CharField(max_length=40)
    day = models.DateField()
    version = models.PositiveIntegerField(default=0)
    latest = models.BooleanField(default=True, help_text="nothing of it has moved since")
    on_hand = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    received = models.BigIntegerField(default=0)
    adjusted = models.BigIntegerField(default=0)
    shipped = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0, db_default=0)
    written_off = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = verbose_name_plural = "stock per day"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "sku", "day"], name="stock_of_a_day_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["build", "sku"], name="stock_of_the_latest_day", condition=Q(latest=True)),
            models.Index(fields=["build", "-day"], name="stock_by_day"),
        ]

    def __str__(self) -> str:
        return f"stock of {self.sku} on {self.day}"
