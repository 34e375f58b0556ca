"""The order board shows tax and shipping."""

from django.db import migrations, models

import integration.storage.columns


class Migration(migrations.Migration):
    dependencies = [("ordering", "0013_prices_of_a_line")]

    operations = [
        migrations.AddField(
            model_name="orderboard", name="price_details", field=models.JSONField(editable=False, null=True)
        ),
        migrations.AddField(
            model_name="orderboard",
            name="prices_include_tax",
            field=models.BooleanField(db_default=False, default=False),
        ),
        *(
            migrations.AddField(
                model_name="orderboard",
                name=name,
                field=integration.storage.columns.MinorUnitsField(db_default=0, default=0),
            )
            for name in ("shipping_minor", "shipping_total_minor", "tax_minor")
        ),
    ]
