"""Fewer indexes to write: see `integration.domain.indexes`."""

import django.db.models.deletion
from django.db import migrations, models

from integration.storage.indexes import AlterIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('inventory', '0003_read_models'),
    ]

    operations = [
        AlterIndex(
            model_name='reservationline',
            name='reservation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='line_rows', to='inventory.reservation'),
        ),
    ]
