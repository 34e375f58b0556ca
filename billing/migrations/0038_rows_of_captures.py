"""A capture takes a part or all of an authorized payment."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import billing.models.provider
from integration.storage.columns import CurrencyField, MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("billing", "0037_authorized_invoices_are_checked")]

    operations = [
        migrations.CreateModel(
            name="Capture",
            fields=[
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(db_index=True, editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("correlation_id", models.UUIDField(db_index=True, editable=False)),
                ("id", models.CharField(max_length=24, primary_key=True, serialize=False)),
                ("order", models.CharField(db_index=True, max_length=20)),
                ("shipment", models.CharField(max_length=30)),
                (
                    "status",
                    models.CharField(
                        choices=[("requested", "Requested"), ("captured", "Captured"), ("failed", "Failed")],
                        db_index=True,
                        default="requested",
                        max_length=10,
                    ),
                ),
                ("currency", CurrencyField(max_length=3)),
                ("amount_minor", MinorUnitsField()),
                (
                    "reference",
                    models.CharField(blank=True, max_length=80, verbose_name="the provider's reference"),
                ),
                ("failure", models.CharField(blank=True, max_length=200)),
                ("key", models.CharField(editable=False, max_length=80)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="captures", to="billing.invoice"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="captures", to="billing.payment"
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
                "constraints": [
                    models.CheckConstraint(condition=Q(amount_minor__gt=0), name="capture_of_something"),
                    models.CheckConstraint(
                        condition=~Q(status="captured") | ~Q(reference=""), name="capture_has_a_reference"
                    ),
                    billing.models.provider.one_row_a_reference("one_capture_a_reference"),
                ],
            },
        ),
    ]
