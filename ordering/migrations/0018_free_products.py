"""A product may cost nothing. Older code beside this still refuses a price of zero, and reads one."""

from django.db import migrations, models

from integration.storage.indexes import AddCheckNotValid


class Migration(migrations.Migration):
    dependencies = [("ordering", "0017_refunds_lower_the_spend")]
    operations = [
        migrations.RemoveConstraint(model_name="product", name="product_price_is_positive"),
        AddCheckNotValid(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(price_minor__gte=0), name="product_price_is_not_negative"
            ),
        ),
    ]
