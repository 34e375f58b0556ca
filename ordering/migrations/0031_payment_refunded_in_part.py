"""The status of a payment may be `partly_refunded`; this changes no column."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0030_board_shows_what_comes_back'),
    ]

    operations = [
        migrations.AlterField(
            model_name='orderboard',
            name='payment_status',
            field=models.CharField(choices=[('pending', 'Pending'), ('paid', 'Paid'), ('partly_refunded', 'Partially Refunded'), ('failed', 'Failed'), ('refunded', 'Refunded'), ('cancelled', 'Cancelled')], default='pending', max_length=16, verbose_name='payment'),
        ),
    ]
