"""The tokens of the admin's forms that were sent, so that none acts twice."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integration", "0016_histories_refuse_always")]

    operations = [
        migrations.CreateModel(
            name="UsedToken",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("used_at", models.DateTimeField()),
            ],
        ),
    ]
