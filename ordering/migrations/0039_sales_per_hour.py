"""The read model of orders and money per hour."""

from django.db import migrations, models

from integration.storage.columns import CurrencyField, MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("ordering", "0038_authorized_orders")]
    operations = [
        migrations.CreateModel(
            name="SalesOfHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("build", models.PositiveBigIntegerField(editable=False)),
                ("hour", models.DateTimeField()),
                ("currency", CurrencyField(max_length=3)),
                ("placed", models.BigIntegerField(default=0)),
                ("paid_minor", MinorUnitsField(default=0)),
            ],
            options={"verbose_name": "sales per hour", "verbose_name_plural": "sales per hour"},
        ),
        migrations.AddConstraint(
            model_name="salesofhour",
            constraint=models.UniqueConstraint(fields=("build", "hour", "currency"), name="sales_of_an_hour_once"),
        ),
    ]
