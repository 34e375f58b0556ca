"""An order that was never asked for money ends for a reason of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0007_shipments_are_arranged'),
    ]

    operations = [
        migrations.AlterField(
            model_name='order',
            name='cancellation_reason',
            field=models.CharField(blank=True, choices=[('out_of_stock', 'Out Of Stock'), ('payment_failed', 'Payment Failed'), ('payment_timeout', 'Payment Timeout'), ('not_processed', 'Not Processed'), ('by_buyer', 'By Buyer'), ('by_operator', 'By Operator')], max_length=16),
        ),
        migrations.AlterField(
            model_name='orderboard',
            name='cancellation_reason',
            field=models.CharField(blank=True, choices=[('out_of_stock', 'Out Of Stock'), ('payment_failed', 'Payment Failed'), ('payment_timeout', 'Payment Timeout'), ('not_processed', 'Not Processed'), ('by_buyer', 'By Buyer'), ('by_operator', 'By Operator')], max_length=16),
        ),
    ]
