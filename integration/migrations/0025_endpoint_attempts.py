"""The log of requests to endpoints."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integration', '0024_endpoint_deliveries'),
    ]

    operations = [
        migrations.CreateModel(
            name='EndpointAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(help_text='which attempt it was, from 1')),
                ('at', models.DateTimeField(db_index=True)),
                ('status', models.PositiveSmallIntegerField(help_text='of the HTTP response', null=True)),
                ('milliseconds', models.PositiveIntegerField()),
                ('response', models.TextField(blank=True, help_text='the first 2 KiB of its body')),
                ('error', models.TextField(blank=True)),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='log', to='integration.endpointdelivery')),
                ('endpoint', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='attempts', to='integration.webhookendpoint')),
            ],
            options={
                'verbose_name': 'webhook attempt',
                'ordering': ['-id'],
            },
        ),
        migrations.AddIndex(
            model_name='endpointattempt',
            index=models.Index(fields=['endpoint', '-id'], name='attempts_of_an_endpoint'),
        ),
    ]
