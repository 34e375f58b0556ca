"""The lines of an invoice have totals of their own, unless they only share its discount."""

from django.db import migrations

import integration.storage.columns


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_shipping_of_an_invoice")]

    operations = [
        migrations.AddField(
            model_name="invoiceline",
            name="total_minor",
            field=integration.storage.columns.MinorUnitsField(null=True),
        ),
    ]
