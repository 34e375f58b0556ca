"""Who paid for an order, as the invoice must name them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0025_refunds_fail")]

    operations = [
        migrations.CreateModel(
            name="Payer",
            fields=[
                ("order", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("address", models.JSONField()),
                ("keep_until", models.DateTimeField(db_index=True)),
            ],
        )
    ]
