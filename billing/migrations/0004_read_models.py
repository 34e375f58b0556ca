from django.db import migrations

from integration.read_models.numbering import number_history


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_refunds_by_decision'),
    ]

    operations = [
        number_history('billing'),
    ]
