"""The payment of an order may be authorized first, and captured as its goods leave."""

from django.db import migrations, models

from integration.storage.columns import MinorUnitsField


class Migration(migrations.Migration):
    dependencies = [("ordering", "0037_order_address_correction")]

    operations = [
        migrations.AddField("order", "authorized_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AddField("order", "released_minor", MinorUnitsField(editable=False, null=True)),
        migrations.AddField("order", "authorization_sequence", models.IntegerField(editable=False, null=True)),
    ]
