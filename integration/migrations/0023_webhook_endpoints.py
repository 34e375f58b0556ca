"""The endpoints that messages are sent to."""

import django.db.models.deletion
import integration.domain.clock
import integration.domain.identifiers
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integration', '0022_shared_out'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.UUIDField(default=integration.domain.identifiers.new_event_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('webhook', 'Webhook'), ('broker', 'Broker')], default='webhook', editable=False, max_length=8)),
                ('url', models.CharField(blank=True, max_length=2000)),
                ('description', models.TextField(blank=True)),
                ('events', models.JSONField(help_text='wire names of contracts, or *')),
                ('personal_data', models.JSONField(default=list, help_text='contracts that are sent with their personal values')),
                ('ordered', models.BooleanField(default=False, help_text='whether the messages of one order are sent in their order')),
                ('concurrency', models.PositiveSmallIntegerField(default=4, help_text='the most requests at the same time')),
                ('status', models.CharField(choices=[('enabled', 'Enabled'), ('disabled', 'Disabled')], default='enabled', max_length=8)),
                ('disabled_because', models.TextField(blank=True)),
                ('disabled_at', models.DateTimeField(null=True)),
                ('owner_is_due_notice', models.BooleanField(default=False, editable=False)),
                ('after', models.BigIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(default=integration.domain.clock.now)),
                ('updated_at', models.DateTimeField(default=integration.domain.clock.now)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('secret_number', models.PositiveIntegerField(default=1, editable=False)),
                ('old_secrets', models.JSONField(default=list, editable=False)),
                ('failures', models.PositiveIntegerField(default=0, editable=False)),
                ('failing_since', models.DateTimeField(editable=False, null=True)),
                ('not_before', models.DateTimeField(editable=False, null=True)),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'permissions': [('send_personal_data', 'Can let webhook endpoints receive personal data')],
            },
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('disabled_at', None), ('disabled_because', ''), ('status', 'enabled')), models.Q(('disabled_at__isnull', False), ('status', 'disabled'), models.Q(('disabled_because', ''), _negated=True)), _connector='OR'), name='disabled_endpoint_has_a_reason'),
        ),
    ]
