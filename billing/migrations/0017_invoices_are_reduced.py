"""An invoice knows what reduced it, and what the shop keeps of that."""

from django.db import migrations, models

from integration.storage.columns import MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("billing", "0016_invoice_changes")]

    operations = [
        migrations.AddField("invoice", "causes", models.JSONField(editable=False, null=True)),
        migrations.AddField("invoice", "withheld_minor", MinorUnitsField(db_default=0, default=0)),
    ]
