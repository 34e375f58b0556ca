"""A reservation knows which shipments were counted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inventory", "0009_reservation_lines_are_shipped")]

    operations = [
        migrations.AddField("reservation", "counted", models.JSONField(default=list, db_default=[], editable=False))
    ]
