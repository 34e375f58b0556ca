"""A build of a read model belongs to the code that catches it up. Older code beside this does not use the columns."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integration", "0011_too_early_since")]

    operations = [
        migrations.AddField(
            model_name="readmodelbuild",
            name="code",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name="readmodelbuild",
            name="ready",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddConstraint(
            model_name="readmodelbuild",
            constraint=models.UniqueConstraint(condition=models.Q(("code", ""), _negated=True), fields=("read_model", "code", "ready"), name="one_build_of_a_code"),
        ),
    ]
