"""A fencing token for deliveries: a claim is recognized by a number that never shrinks.

Older code may run beside this. It leaves the column out of its inserts and claims, and the database fills in the
default.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integration", "0009_plain_words"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="fencing_token",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
