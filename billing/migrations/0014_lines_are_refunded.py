"""A line of an invoice knows how many of its units, and how much of its money, is refunded."""

from django.db import migrations, models

import integration.storage.columns
from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("billing", "0013_totals_of_an_invoice")]

    operations = [
        migrations.AddField("invoiceline", "units_refunded", models.IntegerField(default=0, db_default=0)),
        migrations.AddField(
            "invoiceline", "credited_minor", integration.storage.columns.MinorUnitsField(default=0, db_default=0)
        ),
        AddCheck(
            "invoiceline",
            models.CheckConstraint(
                condition=models.Q(units_refunded__gte=0, units_refunded__lte=models.F("quantity"), credited_minor__gte=0),
                name="units_refunded_at_most_invoiced",
            ),
        ),
    ]
