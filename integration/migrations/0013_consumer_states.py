"""A row for each consumer says how it has fared and whether it is paused, and a row for the sweep when it last ran.

Older code beside this uses neither table.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integration', '0012_code_of_builds'),
    ]

    operations = [
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('name', models.CharField(max_length=80, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='ConsumerState',
            fields=[
                ('consumer', models.CharField(max_length=80, primary_key=True, serialize=False)),
                ('failures', models.PositiveIntegerField(default=0, editable=False)),
                ('deaths', models.PositiveIntegerField(default=0, editable=False)),
                ('paused_at', models.DateTimeField(null=True)),
                ('paused_by', models.CharField(blank=True, max_length=80)),
                ('reason', models.TextField(blank=True)),
                ('resumed_at', models.DateTimeField(null=True)),
                ('resumed_by', models.CharField(blank=True, max_length=80)),
                ('probe', models.BigIntegerField(editable=False, null=True)),
                ('probed_at', models.DateTimeField(null=True)),
                ('releasing', models.BooleanField(default=False, editable=False)),
            ],
            options={
                'verbose_name': 'consumer',
                'ordering': ['consumer'],
                'constraints': [models.CheckConstraint(condition=models.Q(('paused_at', None), models.Q(('paused_by', ''), ('reason', ''), _connector='OR', _negated=True), _connector='OR'), name='paused_has_a_reason')],
            },
        ),
    ]
