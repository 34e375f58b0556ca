"""A line of an invoice knows its tax."""

from django.db import migrations, models

from integration.storage.columns import MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("billing", "0022_invoices_are_documented")]

    operations = [
        migrations.AddField("invoiceline", "tax_minor", MinorUnitsField(null=True)),
        migrations.AddField("invoiceline", "tax_rate_thousandths", models.IntegerField(null=True)),
    ]
