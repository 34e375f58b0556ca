"""Invoices and credit notes become documents with numbers of their own. Older invoices have none."""

import django.db.models.deletion
from django.db import migrations, models

from integration.storage.columns import CurrencyField, MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("billing", "0019_units_gone_at_most_invoiced")]

    operations = [
        migrations.CreateModel(
            name="Document",
            fields=[
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(db_index=True, editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("correlation_id", models.UUIDField(db_index=True, editable=False)),
                ("id", models.CharField(max_length=24, primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("invoice", "Invoice"), ("credit_note", "Credit Note")], max_length=12)),
                ("order", models.CharField(max_length=20)),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "Draft"), ("numbered", "Numbered")], default="draft", max_length=10
                    ),
                ),
                ("currency", CurrencyField(max_length=3)),
                ("amount_minor", MinorUnitsField()),
                ("number", models.CharField(blank=True, max_length=30)),
                ("series", models.CharField(blank=True, max_length=10)),
                ("position", models.PositiveIntegerField(null=True)),
                ("content", models.JSONField(editable=False, null=True)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="documents", to="billing.invoice"
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
                "indexes": [
                    models.Index(
                        condition=models.Q(status="draft"), fields=["kind", "created_at"], name="documents_to_number"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["series", "position"], name="one_document_a_number"),
                    models.CheckConstraint(
                        condition=models.Q(status="draft", position=None)
                        | models.Q(status="numbered", position__gte=1),
                        name="numbered_documents_have_a_position",
                    ),
                ],
            },
        )
    ]
