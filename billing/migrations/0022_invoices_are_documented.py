"""An invoice knows its taxes, and the sum of its credit notes."""

from django.db import migrations, models

from integration.storage.columns import MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("billing", "0021_document_series")]

    operations = [
        migrations.AddField("invoice", "documented", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("invoice", "note_count", models.IntegerField(db_default=0, default=0)),
        migrations.AddField("invoice", "noted_minor", MinorUnitsField(db_default=0, default=0)),
        migrations.AddField("invoice", "prices_include_tax", models.BooleanField(null=True)),
        migrations.AddField("invoice", "taxes", models.JSONField(editable=False, null=True)),
    ]
