"""A refund may fail, and is then requested again under another key."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0024_invoices_lacking_credit_notes")]

    operations = [
        migrations.AddField("refund", "earlier_keys", models.JSONField(editable=False, null=True)),
        migrations.AddField(
            "refund", "failure", models.CharField(blank=True, db_default="", default="", max_length=200)
        ),
        migrations.AlterField(
            "refund",
            "status",
            models.CharField(
                choices=[
                    ("requested", "Requested"),
                    ("pending", "Pending"),
                    ("issued", "Issued"),
                    ("failed", "Failed"),
                ],
                db_index=True,
                default="requested",
                max_length=10,
            ),
        ),
    ]
