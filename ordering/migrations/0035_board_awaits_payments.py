"""The order board shows what a payment waits for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0034_orders_await_payments")]

    operations = [
        migrations.AddField("orderboard", "payment_progress", models.JSONField(editable=False, null=True)),
        migrations.AlterField(
            "orderboard",
            "payment_status",
            models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("action_required", "Action Required"),
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
