"""An invoice whose payment is authorized knows what is captured, released, or being captured."""

from django.db import migrations, models
from django.db.models import F, Q

from integration.storage.columns import MinorUnitsField
from integration.storage.constraints import AddCheck


class Migration(migrations.Migration):
    dependencies = [("billing", "0034_captures")]

    operations = [
        migrations.AddField("invoice", "authorized_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AddField("invoice", "released_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AddField("invoice", "capturing_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AddField("invoice", "capture_count", models.SmallIntegerField(editable=False, null=True)),
        migrations.AddField("invoice", "lapsed", models.BooleanField(editable=False, null=True)),
        migrations.AddField("invoice", "units_settled", models.JSONField(editable=False, null=True)),
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
    ]
