"""The labels that the sandbox carrier sold."""

import integration.domain.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Label',
            fields=[
                ('key', models.CharField(max_length=80, primary_key=True, serialize=False, verbose_name='idempotency key')),
                ('fingerprint', models.CharField(blank=True, max_length=64)),
                ('tracking_number', models.CharField(max_length=40, null=True, unique=True)),
                ('service', models.CharField(blank=True, max_length=40)),
                ('is_cancelled', models.BooleanField(default=False)),
                ('is_played', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(default=integration.domain.clock.now, editable=False)),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(condition=models.Q(('is_cancelled', False), ('is_played', False)), fields=['created_at'], name='labels_to_play')],
            },
        ),
    ]
