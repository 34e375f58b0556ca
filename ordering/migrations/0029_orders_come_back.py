"""Orders know what comes back of them: returns, withdrawals, and the status `returned`."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0028_board_needs_human'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='refund_due_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='a withdrawal is to be refunded by'),
        ),
        migrations.AddField(
            model_name='order',
            name='return_facts',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='withdrawal_facts',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='order',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('payment_pending', 'Payment Pending'), ('confirmed', 'Confirmed'), ('partly_shipped', 'Partially Shipped'), ('shipped', 'Shipped'), ('delivered', 'Delivered'), ('returned', 'Returned'), ('cancelled', 'Cancelled')], db_index=True, default='pending', max_length=16),
        ),
    ]
