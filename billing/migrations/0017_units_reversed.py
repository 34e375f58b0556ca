"""Units of an invoice may be cancelled, returned or lost, and a part of their money may be withheld."""

from django.db import migrations, models

import integration.storage.columns
from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("billing", "0016_invoice_changes")]

    operations = [
        migrations.AddField(
            "invoice", "withheld_minor", integration.storage.columns.MinorUnitsField(db_default=0, default=0)
        ),
        migrations.AddField("invoice", "causes", models.JSONField(editable=False, null=True)),
        migrations.AddField("invoiceline", "units_back", models.IntegerField(db_default=0, default=0)),
        AddCheck(
            "invoiceline",
            models.CheckConstraint(
                condition=models.Q(units_back__gte=0, units_back__lte=models.F("quantity")),
                name="units_back_at_most_invoiced",
            ),
        ),
    ]
