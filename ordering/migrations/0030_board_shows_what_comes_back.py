"""The order board shows returns and withdrawals, and the status `returned`."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0029_orders_come_back'),
    ]

    operations = [
        migrations.AddField(
            model_name='orderboard',
            name='return_facts',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='orderboard',
            name='withdrawal_facts',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='orderboard',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('payment_pending', 'Payment Pending'), ('confirmed', 'Confirmed'), ('partly_shipped', 'Partially Shipped'), ('shipped', 'Shipped'), ('delivered', 'Delivered'), ('returned', 'Returned'), ('cancelled', 'Cancelled')], default='pending', max_length=16),
        ),
    ]
