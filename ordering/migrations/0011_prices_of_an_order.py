"""An order may have tax and shipping. Its total is checked by the new sum, which older code satisfies, too."""

from django.db import migrations, models
from django.db.models import F, Q

import integration.storage.columns
from integration.storage.constraints import AddCheck

WITHOUT_TAX = F("subtotal_minor") - F("discount_minor") + F("shipping_minor")


class Migration(migrations.Migration):
    dependencies = [("ordering", "0010_board_by_change")]

    operations = [
        migrations.RemoveConstraint(model_name="order", name="order_total_is_subtotal_less_discount"),
        migrations.AddField(
            model_name="order", name="price_details", field=models.JSONField(editable=False, null=True)
        ),
        migrations.AddField(
            model_name="order", name="prices_include_tax", field=models.BooleanField(db_default=False, default=False)
        ),
        *(
            migrations.AddField(
                model_name="order",
                name=name,
                field=integration.storage.columns.MinorUnitsField(db_default=0, default=0),
            )
            for name in ("shipping_minor", "shipping_total_minor", "tax_minor")
        ),
        AddCheck(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=Q(total_minor__gte=0)
                & (
                    Q(prices_include_tax=True, total_minor=WITHOUT_TAX)
                    | Q(prices_include_tax=False, total_minor=WITHOUT_TAX + F("tax_minor"))
                ),
                name="order_total_adds_up",
            ),
        ),
    ]
