"""Deliveries record since when they have come too early. Older code beside this does not use the column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integration", "0010_fencing_token"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="too_early_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
