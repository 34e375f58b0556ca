"""A product has a tax class, a weight, and may be exempt from the right of withdrawal."""

from django.db import migrations, models

CLASSES = [(each, each.replace("_", " ").title()) for each in ("standard", "reduced", "super_reduced", "parking", "zero")]


class Migration(migrations.Migration):
    dependencies = [("ordering", "0014_prices_on_the_board")]

    operations = [
        migrations.AddField(
            model_name="product",
            name="tax_class",
            field=models.CharField(choices=CLASSES, db_default="standard", default="standard", max_length=16),
        ),
        migrations.AddField(
            model_name="product",
            name="weight_g",
            field=models.IntegerField(db_default=0, default=0, verbose_name="weight in grams"),
        ),
        migrations.AddField(
            model_name="product",
            name="withdrawal_exempt",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
