"""The goods of an order may be stopped before they leave, be lost, or come back."""

from django.db import migrations, models

from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0008_several_parcels")]

    operations = [
        migrations.AddField("fulfillmentline", "stopped", models.IntegerField(db_default=0, default=0)),
        migrations.AddField("fulfillmentline", "lost", models.IntegerField(db_default=0, default=0)),
        migrations.AddField("fulfillmentline", "return_asked", models.IntegerField(db_default=0, default=0)),
        AddCheck(
            "fulfillmentline",
            models.CheckConstraint(
                condition=models.Q(stopped__gte=0, lost__gte=0, return_asked__gte=0)
                & models.Q(to_ship__gte=models.F("dispatched") + models.F("stopped"))
                & models.Q(dispatched__gte=models.F("return_asked") + models.F("lost")),
                name="each_unit_goes_one_way",
            ),
        ),
    ]
