"""A payment may be authorized first, and captured as goods leave."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

import billing.models.provider
from integration.storage.columns import CurrencyField, MinorUnitsField
from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("billing", "0033_refunds_need_a_second_person")]

    operations = [
        migrations.AddField("invoice", "authorized_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AddField("invoice", "released_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AddField("invoice", "capturing_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AddField("invoice", "capture_count", models.PositiveSmallIntegerField(editable=False, null=True)),
        migrations.AddField("invoice", "lapsed", models.BooleanField(editable=False, null=True)),
        migrations.AddField("invoice", "units_settled", models.JSONField(editable=False, null=True)),
        migrations.AddField("payment", "at_dispatch", models.BooleanField(editable=False, null=True)),
        migrations.AddField("payment", "captured_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AlterField(
            "invoice",
            "status",
            models.CharField(
                choices=[
                    ("open", "Open"),
                    ("paid", "Paid"),
                    ("refunded", "Refunded"),
                    ("void", "Void"),
                    ("authorized", "Authorized"),
                ],
                db_index=True,
                default="open",
                max_length=10,
            ),
        ),
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
        migrations.RemoveConstraint("invoice", "paid_in_full_or_not"),
        AddCheck(
            "invoice",
            models.CheckConstraint(
                condition=Q(paid_minor__in=[0, F("total_minor")])
                | Q(
                    authorized_minor__isnull=False,
                    paid_minor__gte=0,
                    released_minor__gte=0,
                    capturing_minor__gte=0,
                    authorized_minor__gte=F("paid_minor") + F("released_minor") + F("capturing_minor"),
                ),
                name="captured_at_most_authorized",
            ),
        ),
        migrations.RemoveConstraint("invoice", "granted_at_most_owed_back"),
        AddCheck(
            "invoice",
            models.CheckConstraint(
                condition=Q(granted_minor__gte=0)
                & (
                    Q(granted_minor__lte=F("refund_owed_minor"))
                    | Q(granted_minor__lte=F("refund_owed_minor") + F("released_minor"), released_minor__isnull=False)
                ),
                name="granted_at_most_owed_back_or_released",
            ),
        ),
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
