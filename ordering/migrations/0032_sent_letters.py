"""Which letters were sent about an order. Older code beside this does not write it."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ordering', '0031_payment_refunded_in_part'),
    ]

    operations = [
        migrations.CreateModel(
            name='SentLetter',
            fields=[
                ('id', models.CharField(help_text='the first part of its Message-ID', max_length=40, primary_key=True, serialize=False)),
                ('order', models.CharField(db_index=True, max_length=24)),
                ('kind', models.CharField(max_length=40)),
                ('language', models.CharField(max_length=10)),
                ('sent_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['sent_at', 'id'],
            },
        ),
    ]
