"""The order board shows shipments that are arranged or cancelled. No column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0006_numbers_follow_versions")]

    operations = [
        migrations.AlterField(
            model_name="orderboard",
            name="shipment_status",
            field=models.CharField(
                choices=[
                    ("none", "None"),
                    ("arranged", "Arranged"),
                    ("dispatched", "Dispatched"),
                    ("delivered", "Delivered"),
                    ("cancelled", "Cancelled"),
                ],
                default="none",
                max_length=16,
                verbose_name="shipment",
            ),
        )
    ]
