"""Fewer indexes to write: see `integration.domain.indexes`."""

import django.db.models.deletion
from django.db import migrations, models

from integration.storage.indexes import AlterIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0005_history_without_personal_data'),
    ]

    operations = [
        AlterIndex(
            model_name='invoiceline',
            name='invoice',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='line_rows', to='billing.invoice'),
        ),
    ]
