"""Fewer indexes to write: see `integration.domain.indexes`."""

import django.db.models.deletion
from django.db import migrations, models

from integration.storage.indexes import AlterIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('fulfillment', '0004_history_without_personal_data'),
    ]

    operations = [
        AlterIndex(
            model_name='shipmentline',
            name='shipment',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='line_rows', to='fulfillment.shipment'),
        ),
    ]
