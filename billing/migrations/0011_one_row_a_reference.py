"""One reference of the provider settles one payment or refund. Rows that have no key may share one."""

from django.db import migrations, models

from integration.storage.indexes import AddUniqueConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("billing", "0010_who_settled_a_discrepancy")]

    operations = [
        AddUniqueConcurrently(
            model_name="payment",
            constraint=models.UniqueConstraint(
                models.F("reference"),
                models.Case(models.When(key="", then=models.F("id")), default=models.Value("")),
                condition=~models.Q(reference=""),
                name="one_payment_a_charge",
            ),
        ),
        AddUniqueConcurrently(
            model_name="refund",
            constraint=models.UniqueConstraint(
                models.F("reference"),
                models.Case(models.When(key="", then=models.F("id")), default=models.Value("")),
                condition=~models.Q(reference=""),
                name="one_refund_a_reference",
            ),
        ),
    ]
