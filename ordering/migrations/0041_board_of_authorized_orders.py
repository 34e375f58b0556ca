"""The order board shows what is authorized."""

from django.db import migrations, models

from integration.storage.columns import MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("ordering", "0040_board_of_work")]

    operations = [
        migrations.AddField("orderboard", "authorized_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AlterField(
            "orderboard",
            "payment_status",
            models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("action_required", "Action Required"),
                    ("authorized", "Authorized"),
                    ("paid", "Paid"),
                    ("partly_refunded", "Partially Refunded"),
                    ("failed", "Failed"),
                    ("refunded", "Refunded"),
                    ("cancelled", "Cancelled"),
                ],
                default="pending",
                max_length=16,
                verbose_name="payment",
            ),
        ),
    ]
