"""An index of what is pending without a due time: nearly always empty, so it costs older code beside this nothing."""

from django.db import migrations, models

from integration.storage.indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("integration", "0014_pending_without_due_time"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("due_at", None), ("status", "pending")),
                fields=["parked_as", "context", "external", "id"],
                name="pending_without_due_time",
            ),
        ),
    ]
