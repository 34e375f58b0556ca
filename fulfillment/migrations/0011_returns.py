"""Goods come back: returns with their lines, and when each last changed."""

import datetime
import django.db.models.deletion
import django.db.models.expressions
import integration.storage.columns
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('fulfillment', '0010_goods_stopped_or_lost_are_checked'),
    ]

    operations = [
        migrations.AddField(
            model_name='fulfillmentorder',
            name='returns',
            field=models.IntegerField(db_default=0, default=0, verbose_name='how many returns were opened'),
        ),
        migrations.CreateModel(
            name='Return',
            fields=[
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(db_index=True, editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('correlation_id', models.UUIDField(db_index=True, editable=False)),
                ('id', models.CharField(max_length=28, primary_key=True, serialize=False)),
                ('order', models.CharField(db_index=True, max_length=20)),
                ('status', models.CharField(choices=[('requested', 'Requested'), ('approved', 'Approved'), ('refused', 'Refused'), ('received', 'Received'), ('closed', 'Closed')], db_index=True, default='requested', max_length=10)),
                ('note', models.CharField(blank=True, max_length=500, verbose_name='note of the buyer')),
                ('refusal', models.CharField(blank=True, max_length=500, verbose_name='why it was refused')),
                ('withdrawal', models.CharField(blank=True, max_length=28)),
                ('send_by', models.DateTimeField(null=True)),
                ('receipts', models.JSONField(default=dict)),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('fee_minor', integration.storage.columns.MinorUnitsField(default=0)),
                ('reduction_minor', integration.storage.columns.MinorUnitsField(default=0)),
                ('reduction_reason', models.CharField(blank=True, max_length=500)),
                ('shipping_withheld_data', models.JSONField(null=True)),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(condition=models.Q(('status__in', ['approved', 'received'])), fields=['send_by'], name='returns_to_lapse')],
                'constraints': [models.CheckConstraint(condition=models.Q(('fee_minor__gte', 0), ('reduction_minor__gte', 0)), name='return_takes_no_less')],
            },
        ),
        migrations.CreateModel(
            name='ReturnChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('build', models.PositiveBigIntegerField(editable=False)),
                ('shown_at', models.DateTimeField(db_default=datetime.datetime(9999, 12, 31, 0, 0, tzinfo=datetime.UTC), editable=False)),
                ('return_of', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='changes', to='fulfillment.return')),
            ],
            options={
                'indexes': [models.Index(fields=['build', 'shown_at'], name='returns_by_change')],
                'constraints': [models.UniqueConstraint(fields=('build', 'return_of'), name='return_change_shown_once')],
            },
        ),
        migrations.CreateModel(
            name='ReturnLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sku', models.CharField(max_length=40)),
                ('name', models.CharField(max_length=200)),
                ('quantity', models.PositiveIntegerField()),
                ('reason', models.CharField(max_length=20)),
                ('by_right', models.BooleanField()),
                ('restocked', models.PositiveIntegerField(default=0)),
                ('quarantined', models.PositiveIntegerField(default=0)),
                ('written_off', models.PositiveIntegerField(default=0)),
                ('missing', models.PositiveIntegerField(default=0)),
                ('lapsed', models.PositiveIntegerField(default=0)),
                ('return_of', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='line_rows', to='fulfillment.return')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('return_of', 'sku'), name='one_return_line_a_sku'), models.CheckConstraint(condition=models.Q(('quantity__gte', 1)), name='return_line_of_something'), models.CheckConstraint(condition=models.Q(('quantity__gte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('restocked'), '+', models.F('quarantined')), '+', models.F('written_off')), '+', models.F('missing')), '+', models.F('lapsed')))), name='returned_at_most_requested')],
            },
        ),
    ]
