"""Finds the authorizations that end soon. The index is empty in a shop that charges at order."""

from django.db import migrations, models

from integration.storage.indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0035_invoices_are_authorized")]

    operations = [
        AddIndexConcurrently(
            model_name="payment",
            index=models.Index(
                condition=models.Q(status="authorized"), fields=["expires_at"], name="authorizations_to_lapse"
            ),
        )
    ]
