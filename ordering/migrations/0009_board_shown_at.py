"""Rows of the order board say when they were shown, in the order of commits. Older code beside this needs no value."""

import datetime

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0008_not_processed")]
    operations = [
        migrations.AddField(
            model_name="orderboard",
            name="shown_at",
            field=models.DateTimeField(
                db_default=datetime.datetime(9999, 12, 31, 0, 0, tzinfo=datetime.UTC), editable=False
            ),
        ),
    ]
