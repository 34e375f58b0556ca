"""Orders know how much of their refunds lowered the lifetime spend. Older code beside this lowers it by nothing."""

from django.db import migrations

from integration.storage.columns import MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("ordering", "0016_tax_and_shipping_rates")]
    operations = [
        migrations.AddField(
            model_name="order",
            name="spend_refunded_minor",
            field=MinorUnitsField(db_default=0, default=0),
        ),
    ]
