"""The order board shows which orders need a person, and which send goods again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0027_orders_that_replace")]
    operations = [
        migrations.AddField(
            model_name="orderboard",
            name="needs_human",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="orderboard",
            name="replaces",
            field=models.CharField(db_default="", default="", max_length=20),
        ),
        migrations.AlterField(
            model_name='orderboard',
            name='shipment_status',
            field=models.CharField(choices=[('none', 'None'), ('arranged', 'Arranged'), ('dispatched', 'Dispatched'), ('in_transit', 'In Transit'), ('failed', 'Delivery Failed'), ('returned', 'Returned To Sender'), ('lost', 'Lost'), ('delivered', 'Delivered'), ('cancelled', 'Cancelled')], default='none', max_length=16, verbose_name='shipment'),
        ),
    ]
