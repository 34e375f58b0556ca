"""An index of unsettled deliveries by their failure: rows that never failed are not in it, so older code pays nothing."""

from django.db import migrations, models

from integration.storage.indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("integration", "0027_failure_groups"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("fingerprint__isnull", False), ("status__in", ["dead", "pending"])),
                fields=["fingerprint", "id"],
                name="unsettled_by_failure_group",
            ),
        ),
    ]
