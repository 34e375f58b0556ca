"""A line of an invoice knows how many of its units the order no longer has."""

from django.db import migrations, models

from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("billing", "0017_invoices_are_reduced")]

    operations = [
        migrations.AddField("invoiceline", "units_gone", models.IntegerField(db_default=0, default=0)),
        AddCheck(
            "invoiceline",
            models.CheckConstraint(
                condition=models.Q(units_gone__gte=0, units_gone__lte=models.F("quantity")),
                name="units_gone_at_most_invoiced",
            ),
        ),
    ]
