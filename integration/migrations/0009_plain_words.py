"""Columns get plain names in the code; in the database nothing changes, so old and new code run side by side."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integration", "0008_fewer_indexes"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex(model_name="delivery", name="pending_by_lane_lost_first"),
                migrations.AlterField(
                    model_name="delivery",
                    name="outside",
                    field=models.BooleanField(db_column="outside", default=False, editable=False),
                ),
                migrations.RenameField(model_name="delivery", old_name="outside", new_name="external"),
                migrations.AlterField(
                    model_name="delivery",
                    name="in_hand",
                    field=models.BooleanField(db_column="in_hand", db_default=False, default=False, editable=False),
                ),
                migrations.RenameField(model_name="delivery", old_name="in_hand", new_name="in_flight"),
                migrations.AddIndex(
                    model_name="delivery",
                    index=models.Index(
                        condition=models.Q(("status", "pending")),
                        fields=["context", "external", "-in_flight", "due_at", "id"],
                        name="pending_by_lane_lost_first",
                    ),
                ),
                migrations.AlterField(
                    model_name="idempotencykey",
                    name="answered_at",
                    field=models.DateTimeField(db_column="answered_at", db_index=True),
                ),
                migrations.RenameField(
                    model_name="idempotencykey", old_name="answered_at", new_name="responded_at"
                ),
                migrations.AlterField(
                    model_name="idempotencykey",
                    name="body",
                    field=models.TextField(help_text="JSON, with the fields in the order of the response"),
                ),
            ]
        ),
    ]
