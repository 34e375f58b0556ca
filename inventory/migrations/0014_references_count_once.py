"""The references of receipts are looked up in the history."""

from django.db import migrations, models
from django.db.models.fields.json import KeyTransform

from integration.storage.indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("inventory", "0013_shipped_or_released_at_most_reserved")]

    operations = [
        AddIndexConcurrently(
            model_name="history",
            index=models.Index(
                KeyTransform("reference", "data"),
                models.F("stream_id"),
                condition=models.Q(name="inventory.stock_received"),
                name="stock_received_by_reference",
            ),
        )
    ]
