"""Disputes: buyers ask their banks for the money of charges."""

import django.db.models.deletion
from django.db import migrations, models

from integration.storage.columns import CurrencyField, MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("billing", "0028_refunds_wait_for_disputes")]

    operations = [
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(db_index=True, editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("correlation_id", models.UUIDField(db_index=True, editable=False)),
                (
                    "id",
                    models.CharField(
                        max_length=80, primary_key=True, serialize=False, verbose_name="the provider's reference"
                    ),
                ),
                ("order", models.CharField(db_index=True, max_length=20)),
                ("kind", models.CharField(max_length=10)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("opened", "Opened"),
                            ("funds_withdrawn", "Funds Withdrawn"),
                            ("won", "Won"),
                            ("lost", "Lost"),
                        ],
                        db_index=True,
                        default="opened",
                        max_length=16,
                    ),
                ),
                ("currency", CurrencyField(max_length=3)),
                ("amount_minor", MinorUnitsField()),
                ("withdrawn_minor", MinorUnitsField(default=0)),
                ("evidence_due", models.DateTimeField(null=True)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="disputes", to="billing.invoice"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="disputes", to="billing.payment"
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="dispute_of_something"),
                    models.CheckConstraint(
                        condition=models.Q(withdrawn_minor=0) | models.Q(withdrawn_minor=models.F("amount_minor")),
                        name="all_that_is_disputed_is_withdrawn_or_nothing",
                    ),
                ],
            },
        )
    ]
