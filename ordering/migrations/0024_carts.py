"""Carts of guests and buyers."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0023_what_became_of_a_line_is_checked'),
    ]

    operations = [
        migrations.CreateModel(
            name='Cart',
            fields=[
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(db_index=True, editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('id', models.CharField(max_length=36, primary_key=True, serialize=False)),
                ('buyer', models.CharField(blank=True, max_length=40)),
                ('status', models.CharField(choices=[('open', 'Open'), ('checked_out', 'Checked Out'), ('merged', 'Merged'), ('expired', 'Expired')], default='open', max_length=16)),
                ('items', models.JSONField(default=list)),
                ('codes', models.JSONField(default=list, verbose_name='vouchers')),
                ('shipping_address', models.JSONField(null=True)),
                ('shipping_option', models.CharField(blank=True, max_length=40)),
                ('became', models.CharField(blank=True, max_length=40)),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(condition=models.Q(('status', 'open')), fields=['updated_at'], name='carts_to_expire'), models.Index(condition=models.Q(('buyer', ''), _negated=True), fields=['buyer'], name='carts_of_a_buyer')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'open'), models.Q(('buyer', ''), _negated=True)), fields=('buyer',), name='one_open_cart_a_buyer'), models.CheckConstraint(condition=models.Q(('status', 'open'), ('shipping_address__isnull', True), _connector='OR'), name='ended_cart_has_no_address')],
            },
        ),
    ]

