"""A refund of disputed money is blocked, and settled if the dispute is lost."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0027_disputed_money")]

    operations = [
        migrations.AlterField(
            "refund",
            "status",
            models.CharField(
                choices=[
                    ("requested", "Requested"),
                    ("pending", "Pending"),
                    ("issued", "Issued"),
                    ("failed", "Failed"),
                    ("blocked", "Blocked"),
                    ("settled", "Settled"),
                ],
                db_index=True,
                default="requested",
                max_length=10,
            ),
        )
    ]
