"""The places of integration events in the feed.

Older code beside this does not write them. `integration.place-in-feed` adds what it publishes.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integration', '0019_folded_text'),
    ]

    operations = [
        migrations.CreateModel(
            name='FeedPosition',
            fields=[
                ('number', models.BigAutoField(primary_key=True, serialize=False)),
                ('message', models.UUIDField(editable=False, unique=True)),
            ],
            options={
                'permissions': [('read_feed', 'Can read the feed of integration events')],
                'default_permissions': (),
            },
        ),
    ]
