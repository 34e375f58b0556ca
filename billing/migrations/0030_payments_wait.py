"""A payment may wait for the buyer or their bank, until a moment."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0029_disputes")]

    operations = [
        migrations.AddField("payment", "expires_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("payment", "next_action", models.JSONField(blank=True, null=True)),
        migrations.AlterField(
            "payment",
            "status",
            models.CharField(
                choices=[
                    ("requested", "Requested"),
                    ("unknown", "Unknown"),
                    ("action", "Action Required"),
                    ("pending", "Pending"),
                    ("succeeded", "Succeeded"),
                    ("failed", "Failed"),
                    ("abandoned", "Abandoned"),
                    ("expired", "Expired"),
                ],
                db_index=True,
                default="requested",
                max_length=10,
            ),
        ),
    ]
