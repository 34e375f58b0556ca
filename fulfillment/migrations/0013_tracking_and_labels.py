"""What becomes of a shipment on its way, and its label. Most shipments have neither."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('fulfillment', '0012_stops_and_holds'),
    ]

    operations = [
        migrations.AddField(
            model_name='shipment',
            name='is_tracked',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name='shipment',
            name='label_data',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='shipment',
            name='resolution',
            field=models.CharField(blank=True, db_default='', default='', max_length=10),
        ),
        migrations.AddField(
            model_name='shipment',
            name='scanned_too_late',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='shipment',
            name='scans',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='shipment',
            name='status',
            field=models.CharField(choices=[('arranged', 'Arranged'), ('dispatched', 'Dispatched'), ('in_transit', 'In Transit'), ('failed', 'Delivery Failed'), ('returned', 'Returned To Sender'), ('lost', 'Lost'), ('delivered', 'Delivered'), ('cancelled', 'Cancelled')], db_index=True, default='arranged', max_length=10),
        ),
    ]
