"""The status of an order may be `partly_shipped`; this changes no column."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0018_free_products'),
    ]

    operations = [
        migrations.AlterField(
            model_name='order',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('payment_pending', 'Payment Pending'), ('confirmed', 'Confirmed'), ('partly_shipped', 'Partially Shipped'), ('shipped', 'Shipped'), ('delivered', 'Delivered'), ('cancelled', 'Cancelled')], db_index=True, default='pending', max_length=16),
        ),
    ]
