"""Units in quarantine are counted apart from those on hand."""

from django.db import migrations, models

from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("inventory", "0005_numbers_follow_versions")]

    operations = [
        migrations.AddField("stockitem", "quarantined", models.BigIntegerField(default=0, db_default=0)),
        AddCheck(
            "stockitem",
            models.CheckConstraint(condition=models.Q(quarantined__gte=0), name="quarantined_is_not_negative"),
        ),
    ]
