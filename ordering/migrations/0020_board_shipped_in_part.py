"""The status of an order may be `partly_shipped`; this changes no column."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0019_order_shipped_in_part'),
    ]

    operations = [
        migrations.AlterField(
            model_name='orderboard',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('payment_pending', 'Payment Pending'), ('confirmed', 'Confirmed'), ('partly_shipped', 'Partially Shipped'), ('shipped', 'Shipped'), ('delivered', 'Delivered'), ('cancelled', 'Cancelled')], default='pending', max_length=16),
        ),
    ]
