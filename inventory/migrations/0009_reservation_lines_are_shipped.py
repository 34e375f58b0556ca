"""A reservation knows what of each line is shipped. What older code ships, it ships whole, and needs neither column."""

from django.db import migrations, models

from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("inventory", "0008_quarantine_per_day")]

    operations = [
        migrations.AddField("reservationline", "shipped", models.IntegerField(default=0, db_default=0)),
        AddCheck(
            "reservationline",
            models.CheckConstraint(
                condition=models.Q(shipped__gte=0, shipped__lte=models.F("quantity")), name="shipped_at_most_reserved"
            ),
        ),
    ]
