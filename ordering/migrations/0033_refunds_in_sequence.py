"""An order knows which of the totals of its refunds is the latest."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0032_sent_letters")]

    operations = [
        migrations.AddField("order", "refund_sequence", models.IntegerField(db_default=0, default=0, editable=False))
    ]
