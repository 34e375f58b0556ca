"""One row for each message and endpoint."""

import django.db.models.deletion
import integration.domain.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integration', '0023_webhook_endpoints'),
    ]

    operations = [
        migrations.CreateModel(
            name='EndpointDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.UUIDField()),
                ('name', models.CharField(max_length=80, verbose_name='contract')),
                ('key', models.CharField(max_length=64, null=True)),
                ('correlation_id', models.UUIDField(db_index=True)),
                ('is_test', models.BooleanField(default=False)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('done', 'Done'), ('dead', 'Dead')], default='pending', max_length=8)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('fencing_token', models.BigIntegerField(default=0, editable=False)),
                ('in_flight', models.BooleanField(default=False, editable=False)),
                ('due_at', models.DateTimeField(default=integration.domain.clock.now)),
                ('settled_at', models.DateTimeField(null=True)),
                ('endpoint', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='integration.webhookendpoint')),
            ],
            options={
                'verbose_name': 'webhook delivery',
                'verbose_name_plural': 'webhook deliveries',
                'ordering': ['-id'],
            },
        ),
        migrations.AddIndex(
            model_name='endpointdelivery',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['endpoint', 'due_at', 'id'], name='pending_by_endpoint'),
        ),
        migrations.AddIndex(
            model_name='endpointdelivery',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['endpoint', 'key', 'id'], name='pending_by_endpoint_and_key'),
        ),
        migrations.AddIndex(
            model_name='endpointdelivery',
            index=models.Index(condition=models.Q(('status', 'pending'), _negated=True), fields=['settled_at'], name='settled_by_moment'),
        ),
        migrations.AddConstraint(
            model_name='endpointdelivery',
            constraint=models.UniqueConstraint(fields=('endpoint', 'message_id'), name='one_row_an_endpoint_and_message'),
        ),
        migrations.AddConstraint(
            model_name='endpointdelivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('settled_at', None), ('status', 'pending')), models.Q(models.Q(('status', 'pending'), _negated=True), ('settled_at__isnull', False)), _connector='OR'), name='settled_endpoint_row_has_a_moment'),
        ),
    ]
