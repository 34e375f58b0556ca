"""Refunds above a limit are proposed by one person, and decided by another."""

import django.db.models.deletion
import integration.storage.columns
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0032_invoice_numbers'),
    ]

    operations = [
        migrations.CreateModel(
            name='RefundProposal',
            fields=[
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(db_index=True, editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('correlation_id', models.UUIDField(db_index=True, editable=False)),
                ('id', models.CharField(max_length=24, primary_key=True, serialize=False)),
                ('order', models.CharField(db_index=True, max_length=20)),
                ('status', models.CharField(choices=[('proposed', 'Proposed'), ('approved', 'Approved'), ('refused', 'Refused')], db_index=True, default='proposed', max_length=10)),
                ('currency', integration.storage.columns.CurrencyField(max_length=3)),
                ('amount_minor', integration.storage.columns.MinorUnitsField()),
                ('units', models.JSONField(null=True)),
                ('reason', models.CharField(max_length=500)),
                ('proposed_by', models.CharField(max_length=80)),
                ('decided_by', models.CharField(blank=True, max_length=80)),
                ('decision', models.CharField(blank=True, max_length=500, verbose_name="the decider's words")),
                ('refund', models.CharField(blank=True, max_length=24)),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refund_proposals', to='billing.invoice')),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='refund_proposal_of_something'), models.CheckConstraint(condition=models.Q(('decided_by', models.F('proposed_by')), _negated=True), name='a_second_person_decides')],
            },
        ),
    ]
