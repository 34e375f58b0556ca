"""The key of a refund at the provider; refunds that older code requests have none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_key_of_a_payment")]

    operations = [
        migrations.AddField(
            model_name="refund",
            name="key",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=80),
        ),
    ]
