"""The goods of an order know the cancellations that were decided about, and their holds."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0011_returns")]

    operations = [
        migrations.AddField("fulfillmentorder", "cancellations", models.JSONField(editable=False, null=True)),
        migrations.AddField("fulfillmentorder", "holds", models.JSONField(editable=False, null=True)),
    ]
