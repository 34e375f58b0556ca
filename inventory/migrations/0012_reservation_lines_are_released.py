"""A reservation line knows how many of its units were cancelled. Older code beside this releases none of them."""

from django.db import migrations, models

from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("inventory", "0011_shipped_at_most_reserved")]

    operations = [
        migrations.AddField("reservationline", "released", models.IntegerField(db_default=0, default=0)),
        AddCheck(
            "reservationline",
            models.CheckConstraint(
                condition=models.Q(released__gte=0, quantity__gte=models.F("shipped") + models.F("released")),
                name="shipped_or_released_at_most_reserved",
            ),
        ),
    ]
