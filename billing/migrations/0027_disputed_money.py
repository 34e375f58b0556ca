"""An invoice knows what disputes took away, and a refund may wait for one."""

from django.db import migrations

from integration.storage.columns import MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("billing", "0026_payers")]

    operations = [
        migrations.AddField("invoice", "disputed_minor", MinorUnitsField(db_default=0, default=0)),
        migrations.AddField("invoice", "withdrawn_minor", MinorUnitsField(db_default=0, default=0)),
    ]
