"""An invoice may have several payments, and even more than one that succeeds: the surplus is refunded."""

from django.db import migrations, models

from integration.storage.columns import MinorUnitsField
from integration.storage.indexes import RemoveUniqueConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0038_rows_of_captures")]

    operations = [
        migrations.AddField("invoice", "surplus_minor", MinorUnitsField(db_default=0, default=0)),
        migrations.AddField("invoice", "attempts", models.SmallIntegerField(db_default=1, default=1)),
        migrations.AddField(
            "invoice",
            "settled_by",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=24),
        ),
        RemoveUniqueConcurrently("payment", "one_successful_payment_an_invoice"),
    ]
