"""The stock per day shows how many units are in quarantine, and how many were written off."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inventory", "0007_quarantine_is_not_negative")]

    operations = [
        migrations.AddField("stockofday", "quarantined", models.BigIntegerField(default=0, db_default=0)),
        migrations.AddField("stockofday", "written_off", models.BigIntegerField(default=0, db_default=0)),
    ]
