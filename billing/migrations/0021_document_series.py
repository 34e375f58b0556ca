"""A row for each series of numbers, which is locked while numbers are assigned."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0020_documents")]

    operations = [
        migrations.CreateModel(
            name="DocumentSeries",
            fields=[("name", models.CharField(max_length=10, primary_key=True, serialize=False))],
        )
    ]
