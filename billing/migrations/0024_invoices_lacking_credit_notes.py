"""Finds invoices that older code reduced while this code runs beside it. The index is empty otherwise."""

from django.db import migrations, models

from integration.storage.indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0023_tax_of_invoice_lines")]

    operations = [
        AddIndexConcurrently(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(documented=True) & ~models.Q(noted_minor=models.F("refund_owed_minor")),
                fields=["number"],
                name="invoices_lacking_credit_notes",
            ),
        )
    ]
