"""An index that finds a shipment by its tracking number, for the callbacks of carriers."""

from django.db import migrations, models

from integration.storage.indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("fulfillment", "0013_tracking_and_labels")]
    operations = [
        AddIndexConcurrently(
            model_name="shipment",
            index=models.Index(
                condition=models.Q(("is_tracked", True)), fields=["tracking_number"], name="tracked_shipments"
            ),
        ),
    ]
