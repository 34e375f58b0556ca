"""An index that finds a shipment by a tracking number that an operator typed, for those who scan the parcel."""

from django.db import migrations, models

from integration.storage.indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("fulfillment", "0015_shipment_correction")]
    operations = [
        AddIndexConcurrently(
            model_name="shipment",
            index=models.Index(
                condition=models.Q(is_tracked=False) & ~models.Q(tracking_number=""),
                fields=["tracking_number"],
                name="untracked_shipments",
            ),
        ),
    ]
