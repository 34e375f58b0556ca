"""The table by which shipments are found; the index of its texts is made after `migrate`."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0016_untracked_shipments")]
    operations = [
        migrations.CreateModel(
            name="ShipmentText",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("build", models.PositiveBigIntegerField(editable=False)),
                ("text", models.TextField()),
                ("shipment", models.CharField(max_length=24)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("build", "shipment"), name="one_text_a_shipment")],
            },
        ),
    ]
