"""An invoice says what is due for shipping."""

from django.db import migrations

import integration.storage.columns


class Migration(migrations.Migration):
    dependencies = [("billing", "0011_one_row_a_reference")]

    operations = [
        migrations.AddField(
            model_name="invoice",
            name="shipping_minor",
            field=integration.storage.columns.MinorUnitsField(db_default=0, default=0),
        ),
    ]
