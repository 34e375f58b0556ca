"""Inventory's history: its domain events are stored and never changed."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTransform

from integration.history.entries import HistoryEntry


class History(HistoryEntry):
    """One domain event of inventory."""

    class Meta(HistoryEntry.Meta):
        abstract = False
        indexes: ClassVar = [
            # A reference counts once for a SKU; only receipts are in the index.
            models.Index(
                KeyTransform("reference", "data"),
                "stream_id",
                condition=Q(name="inventory.stock_received"),
                name="stock_received_by_reference",
            )
        ]
