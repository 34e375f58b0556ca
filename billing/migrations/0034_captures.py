"""A payment may be authorized first, and captured as goods leave."""

from django.db import migrations, models

from integration.storage.columns import MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("billing", "0033_refunds_need_a_second_person")]

    operations = [
        migrations.AddField("payment", "at_dispatch", models.BooleanField(editable=False, null=True)),
        migrations.AddField("payment", "captured_minor", MinorUnitsField(editable=False, null=True)),
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
                    ("authorized", "Authorized"),
                    ("lapsed", "Lapsed"),
                    ("voided", "Voided"),
                ],
                db_index=True,
                default="requested",
                max_length=10,
            ),
        ),
    ]
