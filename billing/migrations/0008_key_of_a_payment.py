"""The key of a payment at the provider; payments that older code requests have none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_numbers_follow_versions")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="key",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=80),
        ),
    ]
