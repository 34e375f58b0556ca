"""Who settled a discrepancy, and how it was settled before it was found again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_key_of_a_refund")]

    operations = [
        migrations.AddField(
            model_name="discrepancy",
            name="settled_by",
            field=models.CharField(blank=True, db_default="", default="", max_length=80),
        ),
        migrations.AddField(
            model_name="discrepancy",
            name="earlier",
            field=models.TextField(blank=True, db_default="", default="", verbose_name="settled before"),
        ),
    ]
