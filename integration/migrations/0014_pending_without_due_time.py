"""A pending delivery may have no due time: it is parked until a build can read it, or it waits in the background.

Older code may run beside this. It finds deliveries by their due time, so it leaves those without one alone.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integration", "0013_consumer_states"),
    ]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="due_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="parked_as",
            field=models.CharField(editable=False, max_length=170, null=True),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="too_early_since",
            field=models.DateTimeField(db_column="too_early_since", editable=False, null=True),
        ),
        migrations.RenameField(model_name="delivery", old_name="too_early_since", new_name="uncharged_since"),
    ]
