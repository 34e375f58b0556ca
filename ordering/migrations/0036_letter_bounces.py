"""Letters that did not arrive are tasks for a person."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ordering", "0035_board_awaits_payments")]

    operations = [
        migrations.CreateModel(
            "LetterBounce",
            [
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(db_index=True, editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("correlation_id", models.UUIDField(db_index=True, editable=False)),
                ("id", models.CharField("letter", max_length=40, primary_key=True, serialize=False)),
                ("order", models.CharField(db_index=True, max_length=24)),
                ("kind", models.CharField(max_length=40)),
                ("reason", models.CharField(max_length=40)),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Closed")], db_index=True, default="open", max_length=6
                    ),
                ),
            ],
            options={"ordering": ["-created_at"]},
        ),
    ]
