"""The number of an invoice is a column of its own. Invoices that have a document keep the number of that."""

from django.db import migrations, models

from integration.storage.indexes import AddIndexConcurrently, AddUniqueConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0031_payment_methods")]

    operations = [
        migrations.AddField("invoice", "position", models.IntegerField(null=True)),
        migrations.AddField("invoice", "issued_at", models.DateTimeField(null=True)),
        AddIndexConcurrently(
            model_name="invoice",
            index=models.Index(condition=models.Q(position=0), fields=["updated_at"], name="invoices_to_number"),
        ),
        AddUniqueConcurrently(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                condition=models.Q(position__gte=1), fields=["position"], name="one_invoice_a_number"
            ),
        ),
    ]
