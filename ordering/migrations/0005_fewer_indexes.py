"""Fewer indexes to write: see `integration.domain.indexes`."""

import django.db.models.deletion
from django.db import migrations, models

from integration.storage.indexes import AlterIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('ordering', '0004_history_without_personal_data'),
    ]

    operations = [
        AlterIndex(
            model_name='order',
            name='buyer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='ordering.buyer'),
        ),
        AlterIndex(
            model_name='orderline',
            name='order',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='line_rows', to='ordering.order'),
        ),
    ]
