"""An order knows the cancellations of its lines, and its holds."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0024_carts")]

    operations = [
        migrations.AddField("order", "line_cancellations", models.JSONField(editable=False, null=True)),
        migrations.AddField("order", "order_holds", models.JSONField(editable=False, null=True)),
    ]
