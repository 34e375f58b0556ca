"""An order may leave in several parcels: its goods are counted per SKU, and a shipment line may end with no units."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('fulfillment', '0007_shipment_changes'),
    ]

    operations = [
        migrations.CreateModel(
            name='FulfillmentOrder',
            fields=[
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(db_index=True, editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('correlation_id', models.UUIDField(db_index=True, editable=False)),
                ('order', models.CharField(max_length=20, primary_key=True, serialize=False)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='FulfillmentLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sku', models.CharField(max_length=40)),
                ('to_ship', models.PositiveIntegerField()),
                ('dispatched', models.PositiveIntegerField(db_default=0, default=0)),
                ('fulfillment_order', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='line_rows', to='fulfillment.fulfillmentorder')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('fulfillment_order', 'sku'), name='one_fulfillment_line_a_sku'), models.CheckConstraint(condition=models.Q(('to_ship__gte', 1)), name='fulfillment_line_of_something'), models.CheckConstraint(condition=models.Q(('dispatched__lte', models.F('to_ship'))), name='dispatched_at_most_to_ship')],
            },
        ),
        migrations.RemoveConstraint(
            model_name='shipmentline',
            name='shipment_line_of_something',
        ),
    ]
