"""A line knows how many of its units were cancelled, returned or lost. Older code beside this cancels none."""

from django.db import migrations, models

from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("ordering", "0021_vouchers")]

    operations = [
        migrations.AddField("orderline", "cancelled", models.IntegerField(db_default=0, default=0)),
        migrations.AddField("orderline", "returned", models.IntegerField(db_default=0, default=0)),
        migrations.AddField("orderline", "lost", models.IntegerField(db_default=0, default=0)),
        AddCheck(
            "orderline",
            models.CheckConstraint(
                condition=models.Q(cancelled__gte=0, returned__gte=0, lost__gte=0)
                & models.Q(quantity__gte=models.F("shipped") + models.F("cancelled"))
                & models.Q(shipped__gte=models.F("returned") + models.F("lost")),
                name="line_each_unit_goes_one_way",
            ),
        ),
    ]
