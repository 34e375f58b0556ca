from django.db import migrations

from integration.read_models.numbering import number_history


class Migration(migrations.Migration):

    dependencies = [
        ('fulfillment', '0002_history_is_append_only'),
    ]

    operations = [
        number_history('fulfillment'),
    ]
