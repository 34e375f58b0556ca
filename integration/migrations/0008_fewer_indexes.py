"""Fewer indexes to write: see `integration.domain.indexes`."""

import django.db.models.deletion
from django.db import migrations, models

from integration.storage.indexes import AlterIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('integration', '0007_what_was_lost_goes_first'),
    ]

    operations = [
        AlterIndex(
            model_name='delivery',
            name='message',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='integration.message'),
        ),
    ]
