"""How far messages have been shared out among endpoints."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integration', '0021_place_the_past'),
    ]

    operations = [
        migrations.CreateModel(
            name='SharedOut',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('number', models.BigIntegerField(default=0)),
            ],
        ),
    ]
