"""The order board shows the cancellations of lines, the holds, and whether one is open."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0025_cancelled_lines_and_holds")]

    operations = [
        migrations.AddField("orderboard", "line_cancellations", models.JSONField(editable=False, null=True)),
        migrations.AddField("orderboard", "order_holds", models.JSONField(editable=False, null=True)),
        migrations.AddField("orderboard", "on_hold", models.BooleanField(db_default=False, default=False)),
    ]
