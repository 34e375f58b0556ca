"""Buyers keep payment methods."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0030_payments_wait'),
    ]

    operations = [
        migrations.CreateModel(
            name='PaymentMethod',
            fields=[
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(db_index=True, editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('id', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('buyer', models.CharField(db_index=True, max_length=40)),
                ('status', models.CharField(choices=[('active', 'Active'), ('removed', 'Removed')], default='active', max_length=10)),
                ('provider', models.CharField(max_length=20)),
                ('token', models.CharField(blank=True, max_length=80, verbose_name="the provider's token")),
                ('kind', models.CharField(max_length=40)),
                ('brand', models.CharField(blank=True, max_length=40)),
                ('last4', models.CharField(blank=True, max_length=4)),
                ('expires', models.CharField(blank=True, max_length=7)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
    ]
