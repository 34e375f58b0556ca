"""The lines of an order have amounts of their own, unless the order is plain."""

from django.db import migrations, models

import integration.storage.columns


class Migration(migrations.Migration):
    dependencies = [("ordering", "0012_total_of_an_order_is_checked")]

    operations = [
        *(
            migrations.AddField(
                model_name="orderline", name=name, field=integration.storage.columns.MinorUnitsField(null=True)
            )
            for name in ("discount_minor", "tax_minor", "total_minor")
        ),
        migrations.AddField(
            model_name="orderline", name="tax_rate_thousandths", field=models.IntegerField(null=True)
        ),
    ]
