"""Tables by which buyers and orders are found; the indexes of their texts are made after `migrate`."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0041_board_of_authorized_orders")]
    operations = [
        migrations.CreateModel(
            name="BuyerText",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("build", models.PositiveBigIntegerField(editable=False)),
                ("text", models.TextField()),
                ("buyer", models.CharField(max_length=40)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("build", "buyer"), name="one_text_a_buyer")],
            },
        ),
        migrations.CreateModel(
            name="OrderText",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("build", models.PositiveBigIntegerField(editable=False)),
                ("text", models.TextField()),
                ("number", models.CharField(max_length=20)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("build", "number"), name="one_text_an_order")],
            },
        ),
    ]
