"""The payment of an order may wait for the buyer or their bank."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0033_refunds_in_sequence")]

    operations = [
        migrations.AddField(
            "order", "payment_asked", models.BooleanField(db_default=False, default=False, editable=False)
        ),
        migrations.AddField("order", "payment_progress", models.JSONField(editable=False, null=True)),
    ]
